// Masks for inpainting: 1-channel pictures where white (255) is repainted and black kept. Rules of
// A1111's web UI (mask from a picture) and of torch (size of the latent).
#pragma once

#include "mezzotint/image.h"

namespace mezzo {

enum class MaskConvention {
  kWhiteRepaints,  // A1111, diffusers. A picture with transparency: its alpha is the mask, opaque
                   // repaints
  kTransparentRepaints,  // OpenAI: the alpha channel, transparent repaints; without alpha as above
};

/// A mask from any picture. From alpha it is black and white (alpha > 128), from colours it keeps
/// its grey levels.
Image mask_from_image(const Image& image,
                      MaskConvention convention = MaskConvention::kWhiteRepaints);

Image invert(const Image& mask);

/// 255 where v / 255 >= level, else 0; level 0..1.
Image threshold(const Image& mask, double level = 0.5);

/// How much of each pixel is repainted, 0 to 255, where the repainted part shall join the rest
/// without a seam: nothing outside of the mask (where it is 0), and inside of it more with every
/// pixel from its edge, all from `blur` pixels on. So nothing of a part that is narrower than twice
/// as much is repainted in full. The picture's own edge is none. Throws UsageError when blur is not
/// 0..256.
Image feather(const Image& mask, double blur);

/// The mask at the size of a latent: every sample is that of the pixel at floor(i * in / out).
Image mask_to_latent(const Image& mask, int width, int height);

/// True when nothing would be repainted.
bool is_blank(const Image& mask);

}  // namespace mezzo
