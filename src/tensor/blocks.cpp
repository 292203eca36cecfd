#include "tensor/blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/half.h"

// Layouts, little endian; d, m, dmin: float16.
//   q4_0  d, 16 bytes: byte j holds values j (low nibble) and j+16          w = d (q - 8)
//   q4_1  d, m, 16 bytes                                                    w = d q + m
//   q5_0  d, 32 fifth bits, 16 bytes                                        w = d (q - 16)
//   q5_1  d, m, 32 fifth bits, 16 bytes                                     w = d q + m
//   q8_0  d, 32 int8                                                        w = d q
//   nf4, fp4  float32 absmax, 32 bytes: byte j holds values 2j (high nibble) and 2j+1
//                                                                           w = code[q] absmax
//   f8_*_scaled  float32 s, 64 float8                                       w = q s
//   K types: 256 values in sub-blocks of 16 or 32, each with its own small scale (and minimum)
//   times d (and dmin)

namespace mezzo {
namespace {

using Bytes = const std::uint8_t*;

float half_at(Bytes p) {
  std::uint16_t h;
  std::memcpy(&h, p, 2);
  return float_from_f16(h);
}

std::uint32_t word_at(Bytes p) {
  std::uint32_t w;
  std::memcpy(&w, p, 4);
  return w;
}

void decode_q4_0(Bytes b, float* y) {
  const float d = half_at(b);
  for (int j = 0; j < 16; ++j) {
    y[j] = d * static_cast<float>((b[2 + j] & 15) - 8);
    y[j + 16] = d * static_cast<float>((b[2 + j] >> 4) - 8);
  }
}

void decode_q4_1(Bytes b, float* y) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int j = 0; j < 16; ++j) {
    y[j] = d * static_cast<float>(b[4 + j] & 15) + m;
    y[j + 16] = d * static_cast<float>(b[4 + j] >> 4) + m;
  }
}

int fifth_bit(std::uint32_t high, int j) { return static_cast<int>((high >> j) & 1) << 4; }

void decode_q5_0(Bytes b, float* y) {
  const float d = half_at(b);
  const std::uint32_t high = word_at(b + 2);
  for (int j = 0; j < 16; ++j) {
    y[j] = d * static_cast<float>(((b[6 + j] & 15) | fifth_bit(high, j)) - 16);
    y[j + 16] = d * static_cast<float>(((b[6 + j] >> 4) | fifth_bit(high, j + 16)) - 16);
  }
}

void decode_q5_1(Bytes b, float* y) {
  const float d = half_at(b), m = half_at(b + 2);
  const std::uint32_t high = word_at(b + 4);
  for (int j = 0; j < 16; ++j) {
    y[j] = d * static_cast<float>((b[8 + j] & 15) | fifth_bit(high, j)) + m;
    y[j + 16] = d * static_cast<float>((b[8 + j] >> 4) | fifth_bit(high, j + 16)) + m;
  }
}

void decode_q8_0(Bytes b, float* y) {
  const float d = half_at(b);
  for (int j = 0; j < 32; ++j) y[j] = d * static_cast<float>(static_cast<std::int8_t>(b[2 + j]));
}

// 16 bytes of (scale, minimum) nibbles for sub-blocks of 16, 64 bytes of 2-bit values, d, dmin.
void decode_q2_k(Bytes b, float* y) {
  const float d = half_at(b + 80), dmin = half_at(b + 82);
  for (int i = 0; i < 256; ++i) {
    const int sub = i / 16, half = i / 128, plane = i % 128 / 32;
    const int q = (b[16 + 32 * half + i % 32] >> (2 * plane)) & 3;
    y[i] = d * static_cast<float>(b[sub] & 15) * static_cast<float>(q) -
           dmin * static_cast<float>(b[sub] >> 4);
  }
}

// 32 bytes of third bits (0 means minus 4), 64 bytes of 2-bit values, 16 six-bit scales in 12
// bytes, d.
void decode_q3_k(Bytes b, float* y) {
  const float d = half_at(b + 108);
  const Bytes packed = b + 96;
  std::array<float, 16> scale;
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
    const int high = (packed[8 + i % 4] >> (2 * (i / 4))) & 3;
    scale[static_cast<std::size_t>(i)] = d * static_cast<float>((low | high << 4) - 32);
  }
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, plane = i % 128 / 32, bit = i / 32;
    const int q = (b[32 + 32 * half + i % 32] >> (2 * plane)) & 3;
    const int minus = (b[i % 32] >> bit) & 1 ? 0 : 4;
    y[i] = scale[static_cast<std::size_t>(i / 16)] * static_cast<float>(q - minus);
  }
}

struct ScaleMin {
  float scale, min;
};

// Entry j of the eight six-bit (scale, minimum) pairs that q4_k and q5_k pack into 12 bytes.
ScaleMin scale_min(Bytes p, int j) {
  if (j < 4) return {static_cast<float>(p[j] & 63), static_cast<float>(p[j + 4] & 63)};
  return {static_cast<float>((p[j + 4] & 15) | (p[j - 4] >> 6) << 4),
          static_cast<float>((p[j + 4] >> 4) | (p[j] >> 6) << 4)};
}

void decode_q4_k(Bytes b, float* y) {
  const float d = half_at(b), dmin = half_at(b + 2);
  for (int sub = 0; sub < 8; ++sub) {
    const auto [scale, min] = scale_min(b + 4, sub);
    const float ds = d * scale, m = dmin * min;
    const Bytes q = b + 16 + 32 * (sub / 2);
    for (int l = 0; l < 32; ++l)
      y[32 * sub + l] = ds * static_cast<float>(sub % 2 ? q[l] >> 4 : q[l] & 15) - m;
  }
}

void decode_q5_k(Bytes b, float* y) {
  const float d = half_at(b), dmin = half_at(b + 2);
  for (int sub = 0; sub < 8; ++sub) {
    const auto [scale, min] = scale_min(b + 4, sub);
    const float ds = d * scale, m = dmin * min;
    const Bytes high = b + 16, q = b + 48 + 32 * (sub / 2);
    for (int l = 0; l < 32; ++l) {
      const int low = sub % 2 ? q[l] >> 4 : q[l] & 15;
      y[32 * sub + l] = ds * static_cast<float>(low | ((high[l] >> sub) & 1) << 4) - m;
    }
  }
}

// 128 bytes of low nibbles, 64 bytes of upper 2 bits, 16 int8 scales, d.
void decode_q6_k(Bytes b, float* y) {
  const float d = half_at(b + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, quarter = i % 128 / 32, l = i % 32;
    const std::uint8_t low = b[64 * half + 32 * (quarter % 2) + l];
    const int high = (b[128 + 32 * half + l] >> (2 * quarter)) & 3;
    const int q = ((quarter < 2 ? low & 15 : low >> 4) | high << 4) - 32;
    y[i] =
        d * static_cast<float>(static_cast<std::int8_t>(b[192 + i / 16])) * static_cast<float>(q);
  }
}

float float_at(Bytes p) {
  float x;
  std::memcpy(&x, p, 4);
  return x;
}

template <const std::array<float, 16>& kCodes>
void decode_codes(Bytes b, float* y) {
  const float absmax = float_at(b);
  for (std::size_t j = 0; j < 32; ++j) {
    y[2 * j] = kCodes[b[4 + j] >> 4] * absmax;
    y[2 * j + 1] = kCodes[b[4 + j] & 15] * absmax;
  }
}

template <DType kType>
void decode_scaled(Bytes b, float* y) {
  const float scale = float_at(b);
  const auto& values = float8_values(kType);
  for (std::size_t j = 0; j < 64; ++j) y[j] = values[b[4 + j]] * scale;
}

void put_half(std::uint8_t* p, float x) {
  const std::uint16_t h = f16_from_float(x);
  std::memcpy(p, &h, 2);
}

// v truncated to 0..top; anything, infinity and NaN too.
int code(float v, int top) {
  return v > 0 ? static_cast<int>(std::min(v, static_cast<float>(top))) : 0;
}

float inverse(float d) { return d != 0 ? 1 / d : 0; }

// The value of largest magnitude, with its sign.
float extreme(const float* x) {
  float r = 0;
  for (int j = 0; j < 32; ++j)
    if (std::fabs(x[j]) > std::fabs(r)) r = x[j];
  return r;
}

void encode_q4_0(const float* x, std::uint8_t* b) {
  const float d = extreme(x) / -8, id = inverse(d);
  put_half(b, d);
  for (int j = 0; j < 16; ++j)
    b[2 + j] = static_cast<std::uint8_t>(code(x[j] * id + 8.5f, 15) |
                                         code(x[j + 16] * id + 8.5f, 15) << 4);
}

void encode_q5_0(const float* x, std::uint8_t* b) {
  const float d = extreme(x) / -16, id = inverse(d);
  put_half(b, d);
  std::uint32_t high = 0;
  for (int j = 0; j < 16; ++j) {
    const int low = code(x[j] * id + 16.5f, 31), up = code(x[j + 16] * id + 16.5f, 31);
    b[6 + j] = static_cast<std::uint8_t>((low & 15) | (up & 15) << 4);
    high |= static_cast<std::uint32_t>(low >> 4) << j | static_cast<std::uint32_t>(up >> 4)
                                                            << (j + 16);
  }
  std::memcpy(b + 2, &high, 4);
}

void encode_q4_1(const float* x, std::uint8_t* b) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  const float d = (*high - *low) / 15, id = inverse(d), m = *low;
  put_half(b, d);
  put_half(b + 2, m);
  for (int j = 0; j < 16; ++j)
    b[4 + j] = static_cast<std::uint8_t>(code((x[j] - m) * id + 0.5f, 15) |
                                         code((x[j + 16] - m) * id + 0.5f, 15) << 4);
}

void encode_q5_1(const float* x, std::uint8_t* b) {
  const auto [least, most] = std::minmax_element(x, x + 32);
  const float d = (*most - *least) / 31, id = inverse(d), m = *least;
  put_half(b, d);
  put_half(b + 2, m);
  std::uint32_t high = 0;
  for (int j = 0; j < 16; ++j) {
    const int low = code((x[j] - m) * id + 0.5f, 31), up = code((x[j + 16] - m) * id + 0.5f, 31);
    b[8 + j] = static_cast<std::uint8_t>((low & 15) | (up & 15) << 4);
    high |= static_cast<std::uint32_t>(low >> 4) << j | static_cast<std::uint32_t>(up >> 4)
                                                            << (j + 16);
  }
  std::memcpy(b + 4, &high, 4);
}

void encode_q8_0(const float* x, std::uint8_t* b) {
  const float d = std::fabs(extreme(x)) / 127, id = inverse(d);
  put_half(b, d);
  // std::round of numbers that fit an int, in a form that compilers turn into vectors.
  for (int j = 0; j < 32; ++j) {
    float q = x[j] * id;
    q = q == q ? q : 0.0f;
    q = std::min(std::max(q, -127.0f), 127.0f);
    const int whole = static_cast<int>(q);
    const float rest = q - static_cast<float>(whole);
    b[2 + j] = static_cast<std::uint8_t>(whole + (rest >= 0.5f) - (rest <= -0.5f));
  }
}

// The code next to v; of two equally near ones the lower, as bitsandbytes has it.
std::uint8_t nearest_nf4(float v) {
  std::uint8_t q = 0;
  for (std::size_t j = 0; j + 1 < 16; ++j)
    q = static_cast<std::uint8_t>(q + (v > (kNF4Codes[j] + kNF4Codes[j + 1]) / 2));
  return q;
}

void encode_nf4(const float* x, std::uint8_t* b) {
  float absmax = 0;
  for (int j = 0; j < 64; ++j) absmax = std::max(absmax, std::fabs(x[j]));
  const float factor = inverse(absmax);
  std::memcpy(b, &absmax, 4);
  for (int j = 0; j < 32; ++j)
    b[4 + j] = static_cast<std::uint8_t>(nearest_nf4(x[2 * j] * factor) << 4 |
                                         nearest_nf4(x[2 * j + 1] * factor));
}

struct Codec {
  DType dtype;
  void (*decode)(Bytes, float*);
  void (*encode)(const float*, std::uint8_t*);  // null: can only be read
};

constexpr std::array kCodecs = {
    Codec{DType::kQ4_0, decode_q4_0, encode_q4_0},
    Codec{DType::kQ4_1, decode_q4_1, encode_q4_1},
    Codec{DType::kQ5_0, decode_q5_0, encode_q5_0},
    Codec{DType::kQ5_1, decode_q5_1, encode_q5_1},
    Codec{DType::kQ8_0, decode_q8_0, encode_q8_0},
    Codec{DType::kQ2_K, decode_q2_k, nullptr},
    Codec{DType::kQ3_K, decode_q3_k, nullptr},
    Codec{DType::kQ4_K, decode_q4_k, encode_q4_k},
    Codec{DType::kQ5_K, decode_q5_k, nullptr},
    Codec{DType::kQ6_K, decode_q6_k, nullptr},
    Codec{DType::kNF4, decode_codes<kNF4Codes>, encode_nf4},
    Codec{DType::kFP4, decode_codes<kFP4Codes>, nullptr},
    Codec{DType::kF8E4M3Scaled, decode_scaled<DType::kF8E4M3>, nullptr},
    Codec{DType::kF8E5M2Scaled, decode_scaled<DType::kF8E5M2>, nullptr},
};

const Codec& codec(DType t) { return *std::ranges::find(kCodecs, t, &Codec::dtype); }

}  // namespace

void decode_blocks(DType t, const std::byte* in, std::int64_t blocks, float* out) {
  const auto& row = info(t);
  const auto decode = codec(t).decode;
  auto p = reinterpret_cast<Bytes>(in);
  for (; blocks > 0; --blocks, p += row.bytes, out += row.block) decode(p, out);
}

const std::array<float, 256>& float8_values(DType t) {
  const auto all = [](float (*number)(std::uint8_t)) {
    std::array<float, 256> values;
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = number(static_cast<std::uint8_t>(i));
    return values;
  };
  static const std::array e4m3 = all(float_from_f8_e4m3), e5m2 = all(float_from_f8_e5m2);
  return t == DType::kF8E4M3 ? e4m3 : e5m2;
}

bool can_encode(DType t) { return !is_quantized(t) || codec(t).encode; }

bool encode_blocks(DType t, const float* in, std::int64_t blocks, std::byte* out) {
  const auto& row = info(t);
  const auto encode = codec(t).encode;
  if (!encode) return false;
  auto p = reinterpret_cast<std::uint8_t*>(out);
  for (; blocks > 0; --blocks, p += row.bytes, in += row.block) encode(in, p);
  return true;
}

}  // namespace mezzo
