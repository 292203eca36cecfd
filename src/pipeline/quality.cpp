#include "pipeline/quality.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "pipeline/job.h"
#include "tensor/convert.h"
#include "weights/cast_source.h"

namespace mezzo {
namespace {

constexpr int kSteps = 8;  // of the picture
constexpr std::int64_t kSeed = 1;
constexpr auto kPrompt = "a photograph of a red apple on a wooden table";

/// Sums over pairs of values, from which error and cosine follow.
struct Comparison {
  double difference = 0, squares = 0, other_squares = 0, product = 0;

  void add(double a, double b) {
    difference += (a - b) * (a - b);
    squares += a * a;
    other_squares += b * b;
    product += a * b;
  }
  void add(const Tensor& a, const Tensor& b) {
    for (std::int64_t i = 0; i < a.numel(); ++i)
      add(static_cast<double>(a.data<float>()[i]), static_cast<double>(b.data<float>()[i]));
  }
  double error() const { return squares > 0 ? std::sqrt(difference / squares) : 0; }
  double cosine() const {
    return squares > 0 && other_squares > 0 ? product / std::sqrt(squares * other_squares) : 1;
  }
};

/// What a model was given and gave, on the host.
struct Recording {
  struct Prediction {
    Tensor x;
    double timestep;
    TextEmbedding text;
    Tensor out;
  };
  TextEmbedding text;
  std::vector<Prediction> steps;
  Tensor latents, decoded;
  Image picture;
};

TextEmbedding on_host(Backend& b, const TextEmbedding& e) {
  return {.tokens = b.download(e.tokens), .pooled = e.pooled ? b.download(e.pooled) : Tensor()};
}

TextEmbedding on_backend(Backend& b, const TextEmbedding& e) {
  return {.tokens = b.upload(e.tokens), .pooled = e.pooled ? b.upload(e.pooled) : Tensor()};
}

/// A model that is open for one picture.
class Session {
 public:
  Session(const ModelBundle& bundle, const RunOptions& run, Precision precision = Precision::kF32)
      : run_(run), backend_(with_stop(run)), model_(bundle, *backend_, precision) {
    GenerateParams p{.prompts = {kPrompt}, .steps = kSteps, .seed = kSeed};
    auto defaults = defaults_of(model_, bundle);
    defaults.inpainting = false;
    params_ = resolve(p, defaults);
    scheduler_ = scheduler_config(bundle);
  }

  Recording draw() {
    const auto factor = model_.vae->factor();
    const Job job{.params = params_,
                  .prompts = {prompt_of(params_, kPrompt)},
                  .latent_height = params_.height / factor,
                  .latent_width = params_.width / factor,
                  .latent_channels = model_.vae->latent_channels()};
    Recording trace;
    Watch watch;
    watch.stop = run_.stop;
    watch.step = [this](int step, int steps) {
      if (run_.progress) run_.progress({.phase = Phase::kDenoise, .step = step, .steps = steps});
    };
    watch.prediction = [&](const Tensor& x, const Denoiser::Call& call, const Tensor& out) {
      trace.steps.push_back({backend_->download(x), call.timestep, on_host(*backend_, call.text),
                             backend_->download(out)});
    };
    Conditioning conditioning(model_);
    trace.text = encode();
    const std::int64_t seed[] = {kSeed};
    const auto draws = draws_per_picture(params_.rng, seed);
    const Drawn drawn = mezzo::run(job, model_, conditioning, scheduler_, *draws, watch);
    trace.latents =
        backend_->download(upload_latents(*backend_, drawn.latents, job.latent_shape()));
    trace.decoded = drawn.decoded.front();
    trace.picture = to_image(trace.decoded);
    return trace;
  }

  TextEmbedding encode() {
    const TextRequest text = {prompt_of(params_, kPrompt), text_settings(params_)};
    return on_host(*backend_, model_.text->encode({&text, 1}, false).front());
  }
  Tensor predict(const Recording::Prediction& p) {
    const TextEmbedding text = on_backend(*backend_, p.text);
    return backend_->download(
        (*model_.denoiser)(backend_->upload(p.x), {.timestep = p.timestep, .text = text}));
  }
  Tensor decode(const Tensor& latents) {
    return backend_->download(model_.vae->decode(backend_->upload(latents)));
  }

 private:
  static std::unique_ptr<Backend> with_stop(const RunOptions& run) {
    auto backend = make_cpu_backend();
    backend->set_stop(run.stop);
    return backend;
  }

  const RunOptions& run_;
  std::unique_ptr<Backend> backend_;
  Model model_;
  GenerateParams params_;
  nlohmann::json scheduler_;
};

double psnr(const Image& a, const Image& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    squares += std::pow(static_cast<double>(a.pixels[i]) - static_cast<double>(b.pixels[i]), 2);
  if (squares == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.pixels.size()) / squares);
}

WeightQuality::Network network(std::string name, const Comparison& c) {
  return {std::move(name), c.error(), c.cosine()};
}

/// Every tensor that the wanted type would have changed, worst first.
std::vector<WeightQuality::Layer> compare_layers(const ModelBundle& original,
                                                 const ModelBundle& other,
                                                 const WeightTypes& wanted, const RunOptions& run) {
  std::vector<WeightQuality::Layer> layers;
  for (const auto& [name, component] : original.components) {
    const auto chosen = wanted.of(name);
    const auto& has = other.components.at(name).weights;
    for (std::size_t i = 0; i < component.weights->tensors().size(); ++i) {
      if (run.stop.stop_requested()) fail<Cancelled>("cancelled while layers were compared");
      const TensorInfo& t = component.weights->tensors()[i];
      const auto found = has->find(t.name);
      if (found < 0 || t.shape.rank() < 2 || t.shape.numel() == 0) continue;
      const DType got = has->tensors()[static_cast<std::size_t>(found)].dtype;
      const DType type = chosen.value_or(got);
      const bool possible = t.shape.numel() / t.shape[0] % info(type).block == 0;
      const DType measured = is_quantized(got) || !possible ? got : type;
      if (measured == t.dtype) continue;
      const double error = rounding_error(*component.weights, i, measured);
      if (error > 0)
        layers.push_back({.tensor = name + "." + t.name,
                          .type = std::string(mezzo::name(got)),
                          .error = error,
                          .kept = got != measured});
    }
  }
  std::ranges::sort(layers, std::greater(), &WeightQuality::Layer::error);
  return layers;
}

}  // namespace

double rounding_error(const TensorSource& source, std::size_t index, DType type) {
  const TensorInfo& t = source.tensors()[index];
  const Tensor in(host(), t.dtype, t.shape), rounded(host(), type, t.shape),
      values(host(), DType::kF32, t.shape), back(host(), DType::kF32, t.shape);
  source.read(index, {in.data<std::byte>(), in.bytes()});
  const auto n = t.shape.numel();
  convert_values(t.dtype, in.data<std::byte>(), n, DType::kF32, values.data<std::byte>());
  convert_values(DType::kF32, values.data<std::byte>(), n, type, rounded.data<std::byte>());
  convert_values(type, rounded.data<std::byte>(), n, DType::kF32, back.data<std::byte>());
  Comparison c;
  c.add(values, back);
  return c.error();
}

namespace {

// One model is in memory at a time.
WeightQuality compare(const ModelBundle& original, const ModelBundle& other, Precision precision,
                      const RunOptions& run) {
  WeightQuality q;
  const Recording reference = Session(original, run).draw();
  Session session(other, run, precision);
  Comparison text, denoiser, vae;
  const TextEmbedding encoded = session.encode();
  text.add(reference.text.tokens, encoded.tokens);
  for (const auto& step : reference.steps) denoiser.add(step.out, session.predict(step));
  const Tensor decoded = session.decode(reference.latents);
  vae.add(reference.decoded, decoded);
  q.networks = {network("text encoders", text), network("denoiser", denoiser), network("vae", vae)};
  q.psnr = psnr(reference.picture, session.draw().picture);
  return q;
}

}  // namespace

WeightQuality compare_weights(const ModelBundle& original, const ModelBundle& other,
                              const WeightTypes& wanted, const RunOptions& run) {
  auto layers = compare_layers(original, other, wanted, run);
  WeightQuality q = compare(original, other, Precision::kF32, run);
  q.layers = std::move(layers);
  return q;
}

WeightQuality compare_precision(const ModelBundle& model, Precision precision,
                                const RunOptions& run) {
  return compare(model, model, precision, run);
}

}  // namespace mezzo
