#include "models/unet/resnet_block.h"

namespace mezzo {

ResnetBlock::ResnetBlock(const Weights& w, const Config& c)
    : norm1(w / "norm1",
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

// The input is let go as soon as its shortcut is there, so that large pictures need little memory.
Tensor ResnetBlock::operator()(Tensor x, const nn::StepEmbedding& temb) const {
  const Tensor h =
      conv1(norm1.before_conv(x),
            {.channel_add = time_emb_proj ? ops::repeat_rows(temb.through(*time_emb_proj), x.dim(0))
                                          : Tensor()});
  if (conv_shortcut) x = (*conv_shortcut)(x);
  return conv2(norm2.before_conv(h), {.add = x});
}

}  // namespace mezzo
