// Between Python's values and the library's.
#pragma once

#include <pybind11/pybind11.h>

#include "mezzotint/engine.h"

namespace mezzo::python {

namespace py = pybind11;

/// (bytes, width, height, channels) -> Image. Throws UsageError where they do not fit each other.
Image image_from(const py::tuple& parts);
py::tuple to_python(const Image& image);

/// {"pixels": (bytes, width, height, channels), "prompt", "seed", "infotext", "request",
/// "seconds"}.
py::dict to_python(const Picture& picture);
Picture picture_from(const py::tuple& parts, const std::string& infotext,
                     const std::string& request);

}  // namespace mezzo::python
