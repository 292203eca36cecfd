// Draws a finished grid as one picture with its labels, for keeping.
import { newCanvas } from './mask_canvas';

export interface GridDrawing {
  title: string;
  columns: string[];
  rows: string[];
  /** Row by row; null where there is no picture. */
  cells: (CanvasImageSource | null)[];
  cell: { width: number; height: number };
}

const gap = 8;
const line = 28;
const font = '16px system-ui, sans-serif';
const largestSide = 8192;

export function drawGrid(grid: GridDrawing): HTMLCanvasElement {
  const measure = newCanvas(1, 1).getContext('2d')!;
  measure.font = font;
  const widest = Math.max(0, ...grid.rows.map((label) => measure.measureText(label).width));
  const left = gap + (grid.rows.some((r) => r !== '') ? Math.ceil(widest) + 2 * gap : 0);
  const top = 2 * line + gap;
  const columns = grid.columns.length;
  const rows = grid.cells.length / columns;
  // The browser refuses canvases that are too large: the cells shrink together.
  const shrink = Math.min(
    1,
    (largestSide - left) / columns / (grid.cell.width + gap),
    (largestSide - top) / rows / (grid.cell.height + gap),
  );
  const w = Math.max(48, Math.floor(grid.cell.width * shrink));
  const h = Math.max(48, Math.floor(grid.cell.height * shrink));
  const canvas = newCanvas(left + columns * (w + gap), top + rows * (h + gap));
  const c = canvas.getContext('2d')!;
  c.fillStyle = '#fbf9f4';
  c.fillRect(0, 0, canvas.width, canvas.height);
  c.fillStyle = '#1f1c18';
  c.font = font;
  c.textBaseline = 'middle';
  c.fillText(grid.title, gap, line / 2 + gap / 2, canvas.width - 2 * gap);
  grid.columns.forEach((label, x) => c.fillText(label, left + x * (w + gap), line * 1.5 + gap / 2, w));
  grid.rows.forEach((label, y) => c.fillText(label, gap, top + y * (h + gap) + h / 2));
  grid.cells.forEach((cell, i) => {
    const x = left + (i % columns) * (w + gap);
    const y = top + Math.floor(i / columns) * (h + gap);
    if (cell) c.drawImage(cell, x, y, w, h);
    else c.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
  });
  return canvas;
}
