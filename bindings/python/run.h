// Long work on a thread of its own, while Python's thread looks after Ctrl-C, callbacks and
// warnings.
#pragma once

#include <functional>

#include "conversions.h"

namespace mezzo::python {

/// Calls work(options) on another thread without the GIL. On this one: calls `progress` (a callable
/// taking a dict, or None) for every report, warnings.warn for every warning of the library, and
/// stops the work on Ctrl-C or when the callable raises; then that exception goes on.
void run(const py::object& progress, int preview_every,
         const std::function<void(const RunOptions&)>& work);

/// From now on the library's warnings wait for the next run() to tell them.
void keep_warnings();

}  // namespace mezzo::python
