// Draws a finished grid as one picture with its labels, for keeping.
import { newCanvas } from './mask_canvas';

export interface GridDrawing {
  title: string;
  columns: string[];
  rows: string[];
  /** One grid for each; a single '' where there is no third axis. */
  sheets: string[];
  /** Row by row, sheet by sheet; null where there is no picture. */
  cells: (HTMLImageElement | null)[];
}

interface Size {
  width: number;
  height: number;
}

const gap = 8;
const line = 28;
const font = '16px system-ui, sans-serif';
const smallest = 48;
const largestSide = 8192;

/** How many sheets stand beside each other, so that the whole is as square as it can be. */
export function sheetsAcross(sheets: number, sheet: Size): number {
  const longest = (across: number) => Math.max(across * sheet.width, Math.ceil(sheets / across) * sheet.height);
  let best = 1;
  for (let across = 2; across <= sheets; across++) if (longest(across) < longest(best)) best = across;
  return best;
}

/** The largest size of this shape inside another, and where it is. */
export function inside(picture: Size, room: Size): Size & { x: number; y: number } {
  const scale = Math.min(room.width / picture.width, room.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  return { x: (room.width - width) / 2, y: (room.height - height) / 2, width, height };
}

export function drawGrid(grid: GridDrawing): HTMLCanvasElement {
  const measure = newCanvas(1, 1).getContext('2d')!;
  measure.font = font;
  const widest = Math.max(0, ...grid.rows.map((label) => measure.measureText(label).width));
  const [columns, rows, sheets] = [grid.columns.length, grid.rows.length, grid.sheets.length];
  const left = gap + (grid.rows.some((r) => r !== '') ? Math.ceil(widest) + 2 * gap : 0);
  const top = line + (grid.sheets.some((s) => s !== '') ? line : 0);
  const sheetOf = (cell: Size): Size => ({ width: left + columns * (cell.width + gap), height: top + rows * (cell.height + gap) });

  const pictures = grid.cells.filter((cell) => cell !== null);
  const whole = { width: Math.max(smallest, ...pictures.map((p) => p.naturalWidth)), height: Math.max(smallest, ...pictures.map((p) => p.naturalHeight)) };
  const across = sheetsAcross(sheets, sheetOf(whole));
  const down = Math.ceil(sheets / across);
  // The browser refuses canvases that are too large: the cells shrink together.
  const shrink = Math.min(
    1,
    (largestSide / across - left) / columns / (whole.width + gap),
    ((largestSide - line) / down - top) / rows / (whole.height + gap),
  );
  const cell = { width: Math.max(smallest, Math.floor(whole.width * shrink)), height: Math.max(smallest, Math.floor(whole.height * shrink)) };
  const sheet = sheetOf(cell);

  const canvas = newCanvas(across * sheet.width, line + gap + down * sheet.height);
  const c = canvas.getContext('2d')!;
  c.fillStyle = '#fbf9f4';
  c.fillRect(0, 0, canvas.width, canvas.height);
  c.fillStyle = '#1f1c18';
  c.font = font;
  c.textBaseline = 'middle';
  c.fillText(grid.title, gap, line / 2 + gap / 2, canvas.width - 2 * gap);
  grid.sheets.forEach((name, z) => {
    c.save();
    c.translate((z % across) * sheet.width, line + gap + Math.floor(z / across) * sheet.height);
    c.font = `bold ${font}`;
    c.fillText(name, gap, line / 2, sheet.width - 2 * gap);
    c.font = font;
    grid.columns.forEach((label, x) => c.fillText(label, left + x * (cell.width + gap), top - line / 2, cell.width));
    grid.rows.forEach((label, y) => c.fillText(label, gap, top + y * (cell.height + gap) + cell.height / 2));
    grid.cells.slice(z * rows * columns, (z + 1) * rows * columns).forEach((picture, i) => {
      const x = left + (i % columns) * (cell.width + gap);
      const y = top + Math.floor(i / columns) * (cell.height + gap);
      if (!picture) return c.strokeRect(x + 0.5, y + 0.5, cell.width - 1, cell.height - 1);
      const place = inside({ width: picture.naturalWidth, height: picture.naturalHeight }, cell);
      c.drawImage(picture, x + place.x, y + place.y, place.width, place.height);
    });
    c.restore();
  });
  return canvas;
}
