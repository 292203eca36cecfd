// Masks for inpainting: 1-channel pictures where white (255) is repainted and black kept. Rules of
// A1111's web UI (mask from a picture, blur kernel) and of torch (size of the latent).
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

/// Gaussian blur with standard deviation `sigma` in pixels (0: none), kernel of 2 * int(2.5 sigma +
/// 0.5) + 1 samples, mirrored at the edges without repeating the edge itself. Throws UsageError
/// when sigma is not 0..256.
Image blur(const Image& mask, double sigma);

/// The mask at the size of a latent: every sample is that of the pixel at floor(i * in / out).
Image mask_to_latent(const Image& mask, int width, int height);

/// True when nothing would be repainted.
bool is_blank(const Image& mask);

}  // namespace mezzo
