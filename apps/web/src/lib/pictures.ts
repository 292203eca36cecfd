// Pictures as files, data URLs and blobs, and how they leave the page.
export interface Picture {
  /** A gallery picture is named by its id, any other travels as a data URL. */
  id?: number;
  url: string;
  name: string;
  width: number;
  height: number;
}

export const pictureTypes = 'image/png,image/jpeg,image/webp';
/** 64 MiB a request, and base64 takes four bytes for three. */
export const largestPicture = 46 * 2 ** 20;

export function readAsDataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Error('read'));
    reader.readAsDataURL(blob);
  });
}

export async function loadElement(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/** Reads a picture; throws PictureError where it is none, or too large to send. */
export async function pictureFrom(file: File): Promise<Picture> {
  if (file.size > largestPicture) throw new PictureError('large', file.name);
  if (!pictureTypes.split(',').includes(file.type)) throw new PictureError('type', file.name);
  const url = await readAsDataUrl(file);
  try {
    const image = await loadElement(url);
    return { url, name: file.name, width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    throw new PictureError('broken', file.name);
  }
}

export class PictureError extends Error {
  constructor(
    readonly kind: 'large' | 'type' | 'broken',
    readonly file: string,
  ) {
    super(kind);
  }
}

export function firstPicture(data: DataTransfer | null): File | undefined {
  return [...(data?.files ?? [])].find((file) => file.type.startsWith('image/'));
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** "a red apple" and 7 make a-red-apple-7.png. */
export function fileName(prompt: string, seed: number | string): string {
  const words = prompt.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 60);
  return `${words || 'picture'}-${seed}.png`;
}

export async function copyPicture(blob: Blob): Promise<void> {
  await navigator.clipboard.write([new ClipboardItem({ [blob.type]: blob })]);
}
