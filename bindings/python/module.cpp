// The extension module behind the package stable_diffusion (stable_diffusion/_core.pyi describes
// it). Settings come as JSON, pictures as (bytes, width, height, channels): the Python side knows
// Pillow and NumPy, this side neither.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "conversions.h"
#include "mezzotint/files.h"
#include "run.h"

namespace mezzo::python {
namespace {

using namespace py::literals;

/// The library's errors as the classes of stable_diffusion/errors.py.
void translate(std::exception_ptr error) {
  const auto set = [](const char* name, const std::exception& e) {
    const py::object type = py::module_::import("stable_diffusion.errors").attr(name);
    PyErr_SetString(type.ptr(), e.what());
  };
  try {
    if (error) std::rethrow_exception(error);
  } catch (const UsageError& e) {
    set("UsageError", e);
  } catch (const LoadError& e) {
    set("LoadError", e);
  } catch (const OutOfMemory& e) {
    set("OutOfMemory", e);
  } catch (const Cancelled& e) {
    set("Cancelled", e);
  } catch (const DeviceError& e) {
    set("DeviceError", e);
  } catch (const Error& e) {
    set("InternalError", e);
  }
}

std::unique_ptr<Engine> open_engine(const std::string& model, const EngineOptions& options,
                                    const py::object& progress) {
  std::optional<Engine> engine;
  run(progress, 0, [&](const RunOptions& o) { engine.emplace(Engine::open(model, options, o)); });
  return std::make_unique<Engine>(std::move(*engine));
}

py::list generate(Engine& engine, const std::string& settings, const py::object& init,
                  const py::object& mask, const py::object& progress, int preview_every) {
  GenerateParams params = params_from_json(settings);
  if (!init.is_none()) params.init = image_from(init.cast<py::tuple>());
  if (!mask.is_none()) params.mask = image_from(mask.cast<py::tuple>());
  std::vector<Picture> pictures;
  run(progress, preview_every, [&](const RunOptions& o) { pictures = engine.generate(params, o); });
  py::list out;
  for (const auto& picture : pictures) out.append(to_python(picture));
  return out;
}

py::dict describe(const ModelInfo& info) {
  return py::dict("path"_a = info.path, "name"_a = info.name, "form"_a = info.form,
                  "family"_a = info.family, "hash"_a = info.hash, "width"_a = info.width,
                  "height"_a = info.height, "steps"_a = info.steps, "guidance"_a = info.guidance,
                  "sampler"_a = info.sampler, "prediction"_a = info.prediction,
                  "objects"_a = info.objects);
}

py::dict describe(const TokenReport& report) {
  py::list pieces;
  for (const auto& piece : report.pieces) pieces.append(py::make_tuple(piece.id, piece.text));
  return py::dict("pieces"_a = pieces, "used"_a = report.used, "limit"_a = report.limit,
                  "cut"_a = report.cut);
}

py::dict describe(const ModelEntry& entry) {
  return py::dict("name"_a = entry.name, "path"_a = entry.path, "family"_a = entry.family,
                  "form"_a = entry.form, "bytes"_a = entry.bytes, "shipped"_a = entry.shipped,
                  "objects"_a = entry.objects, "unused"_a = entry.unused, "error"_a = entry.error);
}

py::list models(const std::vector<std::string>& folders) {
  py::list out;
  for (const auto& entry : list_models(folders)) out.append(describe(entry));
  return out;
}

/// Every setting: (name, minimum, maximum, choices, default, help).
py::list fields() {
  py::list out;
  for (const auto& f : generate_fields())
    out.append(py::make_tuple(f.name, f.min, f.max, f.choices, f.default_text, f.help));
  return out;
}

py::tuple recipe(const std::string& path) {
  std::string model;
  const auto params = read_recipe(path, &model);
  return py::make_tuple(to_json(params), model);
}

void save(const std::string& path, const py::tuple& pixels, const std::string& infotext,
          const std::string& request, int quality) {
  save_picture(path, picture_from(pixels, infotext, request), quality);
}

std::string plan_json(const std::string& model, const EngineOptions& options,
                      const std::string& settings) {
  return to_json(plan(model, options, params_from_json(settings)));
}

void convert_model(const std::string& model, const std::string& out, const std::string& weights,
                   bool overwrite) {
  run(py::none(), 0, [&](const RunOptions& o) {
    convert(model, out, {.weights = weights, .overwrite = overwrite}, o);
  });
}

void add_engine(py::module_& m) {
  py::class_<EngineOptions>(m, "EngineOptions")
      .def(py::init<>())
      .def_readwrite("precision", &EngineOptions::precision)
      .def_readwrite("weights", &EngineOptions::weights)
      .def_readwrite("vae", &EngineOptions::vae)
      .def_readwrite("clip", &EngineOptions::clip)
      .def_readwrite("clip_l", &EngineOptions::clip_l)
      .def_readwrite("clip_g", &EngineOptions::clip_g)
      .def_readwrite("t5", &EngineOptions::t5)
      .def_readwrite("no_t5", &EngineOptions::no_t5)
      .def_readwrite("config", &EngineOptions::config)
      .def_readwrite("threads", &EngineOptions::threads)
      .def_readwrite("max_ram", &EngineOptions::max_ram)
      .def_readwrite("memory", &EngineOptions::memory)
      .def_readwrite("prompt_cache", &EngineOptions::prompt_cache);
  py::class_<Engine>(m, "Engine")
      .def(py::init(&open_engine), "model"_a, "options"_a, "progress"_a = py::none())
      .def("generate", &generate, "settings"_a, "init"_a = py::none(), "mask"_a = py::none(),
           "progress"_a = py::none(), "preview_every"_a = 0)
      .def("info", [](const Engine& e) { return describe(e.info()); })
      .def("tokens", [](const Engine& e, const std::string& p) { return describe(e.tokens(p)); });
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  py::register_exception_translator(&translate);
  keep_warnings();
  add_engine(m);
  m.def("find_model", &find_model, "name"_a, "folders"_a);
  m.def("models", &models, "folders"_a);
  m.def(
      "inspect", [](const std::string& path) { return to_json(inspect(path)); }, "path"_a);
  m.def("plan", &plan_json, "model"_a, "options"_a, "settings"_a);
  m.def("convert", &convert_model, "model"_a, "out"_a, "weights"_a, "overwrite"_a);
  m.def("fields", &fields);
  m.def("samplers", &sampler_names);
  m.def("schedules", &schedule_names);
  m.def(
      "load_image", [](const std::string& path) { return to_python(load_image(path)); }, "path"_a);
  m.def("recipe", &recipe, "path"_a);
  m.def("save", &save, "path"_a, "pixels"_a, "infotext"_a, "request"_a, "quality"_a);
  m.attr("version") = version();
}

}  // namespace mezzo::python
