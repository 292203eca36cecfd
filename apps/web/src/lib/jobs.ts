// Lists of jobs made one.
import type { Job } from './api';

/** j-999999 comes before j-1000000. */
const order = new Intl.Collator('en', { numeric: true });

/** The oldest first; of a job that is in several lists, what the last of them says. */
export function joinJobs(...lists: Job[][]): Job[] {
  const jobs = new Map(lists.flat().map((job) => [job.id, job]));
  return [...jobs.values()].sort((a, b) => order.compare(a.id, b.id));
}
