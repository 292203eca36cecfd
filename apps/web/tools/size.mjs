// Fails when the built page, compressed, is larger than it may be.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const limit = 150_000;
const dist = new URL('../dist', import.meta.url).pathname;
let total = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const file = join(entry.parentPath, entry.name);
  const size = gzipSync(readFileSync(file), { level: 9 }).length;
  total += size;
  console.log(`${String(size).padStart(7)}  ${file.slice(dist.length + 1)}`);
}
console.log(`${String(total).padStart(7)}  in all, gzip; at most ${limit}`);
process.exit(total > limit ? 1 : 0);
