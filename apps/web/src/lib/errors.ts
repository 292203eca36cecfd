// Turns any failure into what happened, why, and what to do.
import { ApiError, type Problem } from './api';
import { GridError } from './grid';
import { PictureError } from './pictures';
import { t } from './strings';

export interface Notice {
  tone: 'error' | 'info';
  title: string;
  text: string;
}

function ofApi(error: ApiError): Notice {
  const byCode = t.errors.codes as Record<string, { title: string; text: string }>;
  const byStatus: Record<number, string> = { 0: 'offline', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 413: 'too_large', 429: 'queue_full' };
  const known = byCode[error.code] ?? byCode[byStatus[error.status] ?? ''] ?? t.errors.unknown(error.status);
  const wait = error.retryAfter > 0 ? ` ${t.errors.retryAfter(error.retryAfter)}` : '';
  return { tone: 'error', title: known.title, text: (error.message || known.text) + wait };
}

export function explain(error: unknown): Notice {
  if (error instanceof ApiError) return ofApi(error);
  if (error instanceof PictureError) return { tone: 'error', ...t.errors.picture[error.kind](error.file) };
  if (error instanceof GridError) return { tone: 'error', title: t.errors.grid.title, text: t.errors.grid[error.kind](error.value) };
  return { tone: 'error', ...t.errors.page };
}

export function explainJob(problem: Problem | null): Notice {
  return problem ? ofApi(new ApiError(-1, problem.code, problem.message)) : { tone: 'error', ...t.errors.page };
}
