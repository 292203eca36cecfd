#include "tensor/blocks_simd.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/blocks_simd.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for every instruction set
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::CappedTag<float, 16>;
using I = hn::RebindToSigned<F>;
using V = hn::Vec<F>;
using U8 = hn::Rebind<std::uint8_t, F>;

using Bytes = const std::uint8_t*;

HWY_INLINE float half_at(Bytes p) {
  std::uint16_t h;
  std::memcpy(&h, p, 2);
  return float_from_f16(h);
}

template <class Vec>
HWY_INLINE V as_float(Vec bytes) {
  return hn::ConvertTo(F(), hn::PromoteTo(I(), bytes));
}

void Q8(Bytes b, std::int64_t blocks, float* out) {
  const F f;
  const hn::Rebind<std::int8_t, F> i8;
  for (; blocks > 0; --blocks, b += 34, out += 32) {
    const V d = hn::Set(f, half_at(b));
    const auto* q = reinterpret_cast<const std::int8_t*>(b + 2);
    for (std::size_t i = 0; i < 32; i += hn::Lanes(f))
      hn::StoreU(hn::Mul(d, as_float(hn::LoadU(i8, q + i))), f, out + i);
  }
}

// Low and high nibbles of the bytes at p, one in a lane.
struct Nibbles {
  V low, high;
};
HWY_INLINE Nibbles nibbles(Bytes p) {
  const auto bytes = hn::PromoteTo(I(), hn::LoadU(U8(), p));
  return {hn::ConvertTo(F(), hn::And(bytes, hn::Set(I(), 15))),
          hn::ConvertTo(F(), hn::ShiftRight<4>(bytes))};
}

void Q4(Bytes b, std::int64_t blocks, float* out) {
  const F f;
  const V eight = hn::Set(f, 8.0f);
  for (; blocks > 0; --blocks, b += 18, out += 32) {
    const V d = hn::Set(f, half_at(b));
    for (std::size_t i = 0; i < 16; i += hn::Lanes(f)) {
      const Nibbles q = nibbles(b + 2 + i);
      hn::StoreU(hn::Mul(d, hn::Sub(q.low, eight)), f, out + i);
      hn::StoreU(hn::Mul(d, hn::Sub(q.high, eight)), f, out + 16 + i);
    }
  }
}

// The eight six-bit (scale, min) pairs.
HWY_INLINE void pairs(Bytes p, float d, float dmin, float* scale, float* min) {
  for (int j = 0; j < 4; ++j) {
    scale[j] = d * static_cast<float>(p[j] & 63);
    min[j] = dmin * static_cast<float>(p[j + 4] & 63);
    scale[j + 4] = d * static_cast<float>((p[j + 8] & 15) | (p[j] >> 6) << 4);
    min[j + 4] = dmin * static_cast<float>((p[j + 8] >> 4) | (p[j + 4] >> 6) << 4);
  }
}

void Q4K(Bytes b, std::int64_t blocks, float* out) {
  const F f;
  for (; blocks > 0; --blocks, b += 144, out += 256) {
    float scale[8], min[8];
    pairs(b + 4, half_at(b), half_at(b + 2), scale, min);
    for (std::size_t j = 0; j < 8; j += 2) {
      const V s0 = hn::Set(f, scale[j]), m0 = hn::Set(f, min[j]), s1 = hn::Set(f, scale[j + 1]),
              m1 = hn::Set(f, min[j + 1]);
      for (std::size_t i = 0; i < 32; i += hn::Lanes(f)) {
        const Nibbles q = nibbles(b + 16 + 16 * j + i);
        hn::StoreU(hn::Sub(hn::Mul(s0, q.low), m0), f, out + 32 * j + i);
        hn::StoreU(hn::Sub(hn::Mul(s1, q.high), m1), f, out + 32 * j + 32 + i);
      }
    }
  }
}

// A code book of 16 floats as four tables of bytes: the byte shuffle that every instruction set has
// looks up a byte of 16 values at once.
struct CodeBook {
  alignas(16) std::uint8_t plane[4][16];
  explicit CodeBook(const std::array<float, 16>& codes) {
    for (std::size_t i = 0; i < 16; ++i) {
      std::uint8_t bytes[4];
      std::memcpy(bytes, &codes[i], 4);
      for (std::size_t p = 0; p < 4; ++p) plane[p][i] = bytes[p];
    }
  }
};

#if HWY_TARGET == HWY_SCALAR
void Codes(DType t, Bytes b, std::int64_t blocks, float* out) {
  decode_blocks(t, reinterpret_cast<const std::byte*>(b), blocks, out);
}
#else
void Codes(DType t, Bytes b, std::int64_t blocks, float* out) {
  static const CodeBook nf4(kNF4Codes), fp4(kFP4Codes);
  const CodeBook& book = t == DType::kNF4 ? nf4 : fp4;
  const hn::FixedTag<std::uint8_t, 16> u8;
  const hn::FixedTag<std::uint16_t, 8> u16;
  const hn::FixedTag<float, 4> f;
  const auto t0 = hn::Load(u8, book.plane[0]), t1 = hn::Load(u8, book.plane[1]),
             t2 = hn::Load(u8, book.plane[2]), t3 = hn::Load(u8, book.plane[3]);
  for (; blocks > 0; --blocks, b += 36) {
    float absmax;
    std::memcpy(&absmax, b, 4);
    const auto scale = hn::Set(f, absmax);
    // 16 codes, in order: the high nibble of a byte first.
    const auto expand = [&](auto codes) HWY_ATTR {
      const auto b0 = hn::TableLookupBytes(t0, codes), b1 = hn::TableLookupBytes(t1, codes),
                 b2 = hn::TableLookupBytes(t2, codes), b3 = hn::TableLookupBytes(t3, codes);
      const auto lower01 = hn::BitCast(u16, hn::InterleaveLower(u8, b0, b1)),
                 upper01 = hn::BitCast(u16, hn::InterleaveUpper(u8, b0, b1)),
                 lower23 = hn::BitCast(u16, hn::InterleaveLower(u8, b2, b3)),
                 upper23 = hn::BitCast(u16, hn::InterleaveUpper(u8, b2, b3));
      const auto put = [&](auto words, int at) HWY_ATTR {
        hn::StoreU(hn::Mul(hn::BitCast(f, words), scale), f, out + at);
      };
      put(hn::InterleaveLower(u16, lower01, lower23), 0);
      put(hn::InterleaveUpper(u16, lower01, lower23), 4);
      put(hn::InterleaveLower(u16, upper01, upper23), 8);
      put(hn::InterleaveUpper(u16, upper01, upper23), 12);
      out += 16;
    };
    for (int i = 0; i < 32; i += 16) {
      const auto bytes = hn::LoadU(u8, b + 4 + i);
      const auto low = hn::And(bytes, hn::Set(u8, 15)),
                 high = hn::BitCast(
                     u8, hn::And(hn::ShiftRight<4>(hn::BitCast(u16, bytes)), hn::Set(u16, 0x0f0f)));
      expand(hn::InterleaveLower(u8, high, low));
      expand(hn::InterleaveUpper(u8, high, low));
    }
  }
}
#endif

bool Expand(DType t, const std::byte* in, std::int64_t blocks, float* out) {
  const auto b = reinterpret_cast<Bytes>(in);
  switch (t) {
    case DType::kQ8_0:
      return Q8(b, blocks, out), true;
    case DType::kQ4_0:
      return Q4(b, blocks, out), true;
    case DType::kQ4_K:
      return Q4K(b, blocks, out), true;
    case DType::kNF4:
    case DType::kFP4:
      return Codes(t, b, blocks, out), true;
    default:
      return false;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mezzo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo {
HWY_EXPORT(Expand);

bool expand_blocks(DType t, const std::byte* in, std::int64_t blocks, float* out) {
  return HWY_DYNAMIC_DISPATCH(Expand)(t, in, blocks, out);
}
}  // namespace mezzo
#endif  // HWY_ONCE
