#include <pybind11/stl.h>

#include "conversions.h"

namespace mezzo::python {

Image image_from(const py::tuple& parts) {
  if (parts.size() != 4) throw UsageError("a picture is (bytes, width, height, channels)");
  const auto bytes = parts[0].cast<std::string_view>();
  Image image{.width = parts[1].cast<int>(),
              .height = parts[2].cast<int>(),
              .channels = parts[3].cast<int>(),
              .pixels = {}};
  const bool sides = image.width > 0 && image.height > 0 && image.channels > 0;
  if (!sides || bytes.size() != image.row_bytes() * static_cast<std::size_t>(image.height))
    throw UsageError("the picture's bytes are not height x width x channels of them");
  image.pixels.assign(bytes.begin(), bytes.end());
  return image;
}

py::tuple to_python(const Image& image) {
  return py::make_tuple(
      py::bytes(reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size()),
      image.width, image.height, image.channels);
}

py::dict to_python(const Picture& picture) {
  py::dict d;
  d["pixels"] = to_python(picture.image);
  d["prompt"] = picture.prompt;
  d["seed"] = picture.seed;
  d["infotext"] = picture.infotext;
  d["request"] = picture.request;
  d["seconds"] = picture.seconds;
  return d;
}

Picture picture_from(const py::tuple& parts, const std::string& infotext,
                     const std::string& request) {
  Picture picture;
  picture.image = image_from(parts);
  picture.infotext = infotext;
  picture.request = request;
  return picture;
}

}  // namespace mezzo::python
