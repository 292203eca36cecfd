#include "models/unet/resnet_block.h"

#include "models/bands.h"

namespace mezzo {

ResnetBlock::ResnetBlock(const Weights& w, const Config& c)
    : in_(c.in),
      out_(c.out),
      norm1(w / "norm1",
            {.channels = c.in, .groups = c.groups, .eps = c.eps, .activation = Activation::kSilu}),
      conv1(w / "conv1", {.in = c.in, .out = c.out}),
      norm2(w / "norm2",
            {.channels = c.out, .groups = c.groups, .eps = c.eps, .activation = Activation::kSilu}),
      conv2(w / "conv2", {.in = c.out, .out = c.out}) {
  if (c.temb)
    time_emb_proj.emplace(w / "time_emb_proj", nn::Linear::Config{.in = c.temb, .out = c.out});
  if (c.in != c.out)
    conv_shortcut.emplace(w / "conv_shortcut",
                          nn::Conv2d::Config{.in = c.in, .out = c.out, .kernel = 1, .padding = 0});
}

// Each result replaces the one it is made from, so that large pictures need little memory.
Tensor ResnetBlock::operator()(Tensor x, const Tensor& temb) const {
  Tensor h = norm1(x);
  if (conv_shortcut) x = (*conv_shortcut)(x);
  h = conv1(h, {.channel_add =
                    time_emb_proj ? ops::repeat_rows((*time_emb_proj)(temb), x.dim(0)) : Tensor()});
  h = norm2(h);
  return conv2(h, {.add = x});
}

Tensor ResnetBlock::in_bands(Tensor x, std::int64_t rows) const {
  Tensor factors = norm1.factors(x);
  const auto first = [&](const Tensor& band) { return conv1(norm1.apply(band, factors)); };
  const auto second = [&](const Tensor& band) { return conv2(norm2.apply(band, factors)); };
  const Tensor h = mezzo::in_bands(x, {.rows = rows, .channels = out_, .compute = first});
  if (conv_shortcut) {
    const BandedLayer shortcut{
        .rows = rows, .channels = out_, .halo = 0, .compute = [&](const Tensor& band) {
          return (*conv_shortcut)(band);
        }};
    x = out_ <= in_ ? in_bands_in_place(std::move(x), shortcut) : mezzo::in_bands(x, shortcut);
  }
  factors = norm2.factors(h);
  add_in_bands(x, h, {.rows = rows, .channels = out_, .compute = second});
  return x;
}

}  // namespace mezzo
