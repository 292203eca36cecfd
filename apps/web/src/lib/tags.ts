/** On how many of the pictures each tag is, in order of the tags. */
export function countTags(images: { tags: string[] }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of images.flatMap((image) => image.tags)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => a.localeCompare(b)));
}
