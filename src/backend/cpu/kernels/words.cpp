#include "backend/cpu/kernels/words.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/kernels/words.cpp"
#include <hwy/foreach_target.h>
// after foreach_target.h
#include "backend/cpu/kernels/words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {
using kernels::Groups;
using kernels::Index;

constexpr float kLargest = 127;
constexpr float kMiddle = 128;  // stands for 0 where integers have no sign

void RowToBF16(const float* x, Index n, std::uint32_t* out) {
  const F f;
  auto* halves = reinterpret_cast<std::uint16_t*>(out);
  Index i = 0;
  for (; i + lanes() <= n; i += lanes()) store_bf16(hn::LoadU(f, x + i), halves + i);
  for (i = i / 2 * 2; i < n; i += 2)
    out[i / 2] = hn::GetLane(pair_up(hn::Set(f, x[i]), hn::Set(f, i + 1 < n ? x[i + 1] : 0.0f)));
}

// Integers that have the order of magnitudes, NaN above all.
HWY_INLINE hn::Vec<I32> magnitude(V x) { return hn::BitCast(I32(), hn::Abs(x)); }

// NaN where there is one.
HWY_INLINE float largest(const float* x, Index n) {
  const F f;
  const I32 d;
  auto most = hn::Zero(d);
  Index i = 0;
  for (; i + lanes() <= n; i += lanes()) most = hn::Max(most, magnitude(hn::LoadU(f, x + i)));
  if (i < n) most = hn::Max(most, magnitude(load_first(x + i, n - i)));
  return hn::GetLane(hn::BitCast(f, hn::MaxOfLanes(d, most)));
}

// The factor that makes integers of values: 1 / scale, 0 where that is none.
HWY_INLINE float inverse_of(float scale) {
  return std::isfinite(1 / scale) && std::isfinite(scale) ? 1 / scale : 0;
}

float RowToInt8(const float* x, Index n, std::uint32_t* out) {
  const F f;
  const float scale = largest(x, n) / kLargest;
  const V inverse = hn::Set(f, inverse_of(scale)), offset = hn::Set(f, kMiddle);
  auto* bytes = reinterpret_cast<std::uint8_t*>(out);
  const auto whole = [&](V v) HWY_ATTR { return hn::MulAdd(v, inverse, offset); };
  const auto whole_at = [&](Index i) HWY_ATTR { return whole(hn::LoadU(f, x + i)); };
  Index i = 0;
  for (const Index step = lanes(); i + 4 * step <= n; i += 4 * step)
    store_bytes({whole_at(i), whole_at(i + step), whole_at(i + 2 * step), whole_at(i + 3 * step)},
                bytes + i);
  for (; i + lanes() <= n; i += lanes()) store_bytes(whole_at(i), bytes + i);
  if (i < n) {
    HWY_ALIGN std::uint8_t rest[HWY_MAX_BYTES / sizeof(float)];
    store_bytes(whole(load_first(x + i, n - i)), rest);
    std::memcpy(bytes + i, rest, static_cast<std::size_t>(n - i));
  }
  for (i = n; i % 4 != 0; ++i) bytes[i] = static_cast<std::uint8_t>(kMiddle);
  return scale;
}

HWY_INLINE float int16_scale_of(const float* x, Index n) {
  const F f;
  auto most = hn::Zero(I32());
  V square = hn::Zero(f);
  const auto take = [&](V v) HWY_ATTR {
    most = hn::Max(most, magnitude(v));
    square = hn::MulAdd(v, v, square);
  };
  Index i = 0;
  for (; i + lanes() <= n; i += lanes()) take(hn::LoadU(f, x + i));
  if (i < n) take(load_first(x + i, n - i));
  const hn::CappedTag<float, 1> one;
  const auto first = [&](V v) HWY_ATTR { return hn::Set(one, hn::GetLane(v)); };
  return hn::GetLane(int16_scale(one, first(hn::SumOfLanes(f, square)),
                                 first(hn::BitCast(f, hn::MaxOfLanes(I32(), most)))));
}

float RowToInt16(const float* x, Index n, std::uint32_t* out) {
  const F f;
  const float scale = int16_scale_of(x, n);
  const V inverse = hn::Set(f, inverse_of(scale));
  auto* integers = reinterpret_cast<std::int16_t*>(out);
  const auto scaled_at = [&](Index i) HWY_ATTR { return hn::Mul(hn::LoadU(f, x + i), inverse); };
  Index i = 0;
  for (const Index step = lanes(); i + 2 * step <= n; i += 2 * step)
    store_int16({scaled_at(i), scaled_at(i + step)}, integers + i);
  for (; i + lanes() <= n; i += lanes()) store_int16(scaled_at(i), integers + i);
  if (i < n) {
    HWY_ALIGN std::int16_t rest[HWY_MAX_BYTES / sizeof(float)];
    store_int16(hn::Mul(load_first(x + i, n - i), inverse), rest);
    std::memcpy(integers + i, rest, static_cast<std::size_t>(n - i) * sizeof(std::int16_t));
  }
  if (n % 2) integers[n] = 0;
  return scale;
}

void WidenRanges(const float* x, Index pixels, const Groups& c, float* lowest, float* highest) {
  const F f;
  for (Index g = 0; g < c.count(); ++g) {
    const Index begin = g * c.group, end = std::min(begin + c.group, c.channels);
    V low = hn::Set(f, lowest[g]), high = hn::Set(f, highest[g]), nan = hn::Zero(f);
    for (Index i = 0; i < pixels; ++i) {
      const float* pixel = x + i * c.channels;
      Index j = begin;
      const auto widen = [&](V v) HWY_ATTR {
        low = hn::Min(v, low);
        high = hn::Max(v, high);
        nan = hn::MulAdd(v, hn::Zero(f), nan);
      };
      for (; j + lanes() <= end; j += lanes()) widen(hn::LoadU(f, pixel + j));
      for (; j < end; ++j) widen(hn::Set(f, pixel[j]));
    }
    lowest[g] = hn::GetLane(hn::MinOfLanes(f, low));
    highest[g] = hn::GetLane(hn::MaxOfLanes(f, high)) + hn::GetLane(hn::SumOfLanes(f, nan));
  }
}

void PixelsToInt8(const float* x, Index pixels, const Groups& c, const float* inverse,
                  const float* zero, std::uint32_t* out) {
  const F f;
  const V least = hn::Zero(f), most = hn::Set(f, 255.0f);
  const Index stride = (c.channels + 3) / 4;
  for (Index i = 0; i < pixels; ++i) {
    const float* pixel = x + i * c.channels;
    auto* bytes = reinterpret_cast<std::uint8_t*>(out + i * stride);
    for (Index g = 0; g < c.count(); ++g) {
      const Index end = std::min((g + 1) * c.group, c.channels);
      const V k = hn::Set(f, inverse[g]), offset = hn::Set(f, zero[g]);
      const auto whole = [&](V v) HWY_ATTR {
        return hn::Min(hn::Max(hn::MulAdd(v, k, offset), least), most);
      };
      const auto near = [&](Index j)
                            HWY_ATTR { return hn::MulAdd(hn::LoadU(f, pixel + j), k, offset); };
      Index j = g * c.group;
      for (const Index step = lanes(); j + 4 * step <= end; j += 4 * step)
        store_bytes({near(j), near(j + step), near(j + 2 * step), near(j + 3 * step)}, bytes + j);
      for (; j + lanes() <= end; j += lanes())
        store_bytes(whole(hn::LoadU(f, pixel + j)), bytes + j);
      for (; j < end; ++j)
        bytes[j] =
            static_cast<std::uint8_t>(hn::GetLane(hn::NearestInt(whole(hn::Set(f, pixel[j])))));
    }
    for (Index j = c.channels; j % 4 != 0; ++j) bytes[j] = 0;
  }
}

void WidenPanelScales(const float* x, Index rows, Index width, float* scale) {
  const F f;
  const I32 d;
  for (Index j = 0; j < width; j += lanes()) {
    auto most = hn::Zero(d);
    for (Index r = 0; r < rows; ++r)
      most = hn::Max(most, magnitude(hn::LoadU(f, x + r * width + j)));
    const V wider = hn::Div(hn::BitCast(f, most), hn::Set(f, kLargest));
    hn::StoreU(hn::BitCast(f, hn::Max(magnitude(wider), magnitude(hn::LoadU(f, scale + j)))), f,
               scale + j);
  }
}

void PanelToBF16(const float* x, Index rows, Index width, std::uint32_t* out) {
  const F f;
  const U32 u;
  for (Index r = 0; r < rows; r += 2)
    for (Index j = 0; j < width; j += lanes()) {
      const float* at = x + r * width + j;
      const V second = r + 1 < rows ? hn::LoadU(f, at + width) : hn::Zero(f);
      hn::StoreU(pair_up(hn::LoadU(f, at), second), u, out + r / 2 * width + j);
    }
}

void PanelFromBF16(const std::uint32_t* x, Index rows, Index width, float* out) {
  const F f;
  const U32 u;
  for (Index r = 0; r < rows; r += 2)
    for (Index j = 0; j < width; j += lanes()) {
      const auto pair = hn::LoadU(u, x + r / 2 * width + j);
      hn::StoreU(first_of(pair), f, out + r * width + j);
      if (r + 1 < rows) hn::StoreU(second_of(pair), f, out + (r + 1) * width + j);
    }
}

// A vector of integers from four rows of a panel, fewer at its end: q(row) for each.
template <class Integers>
HWY_INLINE Words word_of(Index rows, const Integers& q, hn::Vec<I32>& sum) {
  const U32 u;
  auto word = hn::Zero(u);
  for (Index i = 0; i < std::min<Index>(4, rows); ++i) {
    const auto v = q(i);
    sum = hn::Add(sum, v);
    word = hn::Or(word, hn::ShiftLeftSame(hn::And(hn::BitCast(u, v), hn::Set(u, 0xFF)),
                                          static_cast<int>(8 * i)));
  }
  return word;
}

// 1 / scale of each column, 0 where that is none.
HWY_INLINE V inverses_of(const float* scale) {
  const F f;
  const V s = hn::LoadU(f, scale);
  const auto least = hn::Set(f, std::numeric_limits<float>::min());
  return hn::IfThenElseZero(hn::Gt(s, least), hn::Div(hn::Set(f, 1.0f), s));
}

// x * inverse; 0 in columns without a factor, whatever x is.
HWY_INLINE V scaled(V x, V inverse) {
  return hn::IfThenElseZero(hn::Gt(inverse, hn::Zero(F())), hn::Mul(x, inverse));
}

void PanelToInt8(const float* x, Index rows, Index width, const float* scale, std::uint32_t* out,
                 std::int32_t* sums) {
  const F f;
  const I32 d;
  for (Index j = 0; j < width; j += lanes()) {
    const V inverse = inverses_of(scale + j);
    auto sum = hn::LoadU(d, sums + j);
    for (Index r = 0; r < rows; r += 4) {
      const auto q = [&](Index i) HWY_ATTR {
        return hn::NearestInt(scaled(hn::LoadU(f, x + (r + i) * width + j), inverse));
      };
      hn::StoreU(word_of(rows - r, q, sum), U32(), out + r / 4 * width + j);
    }
    hn::StoreU(sum, d, sums + j);
  }
}

void PanelFromInt8(const std::uint32_t* x, Index rows, Index width, const float* scale,
                   float* out) {
  const F f;
  const U32 u;
  const I32 d;
  for (Index r = 0; r < rows; r += 4)
    for (Index j = 0; j < width; j += lanes()) {
      auto words = hn::LoadU(u, x + r / 4 * width + j);
      const V factor = hn::LoadU(f, scale + j);
      for (Index i = 0; i < std::min<Index>(4, rows - r); ++i) {
        const auto integers = hn::ShiftRight<24>(hn::BitCast(d, hn::ShiftLeft<24>(words)));
        hn::StoreU(hn::Mul(hn::ConvertTo(f, integers), factor), f, out + (r + i) * width + j);
        words = hn::ShiftRight<8>(words);
      }
    }
}

void PanelToInt16(const float* x, Index rows, Index width, float* scale, std::uint32_t* out) {
  const F f;
  const U32 u;
  for (Index j = 0; j < width; j += lanes()) {
    auto most = hn::Zero(I32());
    V square = hn::Zero(f);
    for (Index r = 0; r < rows; ++r) {
      const V v = hn::LoadU(f, x + r * width + j);
      most = hn::Max(most, magnitude(v));
      square = hn::MulAdd(v, v, square);
    }
    hn::StoreU(int16_scale(f, square, hn::BitCast(f, most)), f, scale + j);
    const V inverse = inverses_of(scale + j);
    const auto integer = [&](Index r) HWY_ATTR {
      if (r >= rows) return hn::Zero(u);
      return hn::BitCast(u, hn::NearestInt(scaled(hn::LoadU(f, x + r * width + j), inverse)));
    };
    for (Index r = 0; r < rows; r += 2) {
      const auto lower = hn::And(integer(r), hn::Set(u, 0xFFFF));
      hn::StoreU(hn::Or(lower, hn::ShiftLeft<16>(integer(r + 1))), u, out + r / 2 * width + j);
    }
  }
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(RowToBF16);
HWY_EXPORT(RowToInt8);
HWY_EXPORT(RowToInt16);
HWY_EXPORT(PanelToBF16);
HWY_EXPORT(PanelFromBF16);
HWY_EXPORT(PanelToInt8);
HWY_EXPORT(PanelFromInt8);
HWY_EXPORT(PanelToInt16);
HWY_EXPORT(WidenPanelScales);
HWY_EXPORT(WidenRanges);
HWY_EXPORT(PixelsToInt8);

void row_to_bf16(const float* x, Index n, std::uint32_t* out) {
  HWY_DYNAMIC_DISPATCH(RowToBF16)(x, n, out);
}
float row_to_int8(const float* x, Index n, std::uint32_t* out) {
  return HWY_DYNAMIC_DISPATCH(RowToInt8)(x, n, out);
}
float row_to_int16(const float* x, Index n, std::uint32_t* out) {
  return HWY_DYNAMIC_DISPATCH(RowToInt16)(x, n, out);
}
void panel_to_int16(const float* x, Index rows, Index width, float* scale, std::uint32_t* out) {
  HWY_DYNAMIC_DISPATCH(PanelToInt16)(x, rows, width, scale, out);
}
void panel_to_bf16(const float* x, Index rows, Index width, std::uint32_t* out) {
  HWY_DYNAMIC_DISPATCH(PanelToBF16)(x, rows, width, out);
}
void panel_from_bf16(const std::uint32_t* x, Index rows, Index width, float* out) {
  HWY_DYNAMIC_DISPATCH(PanelFromBF16)(x, rows, width, out);
}
void panel_to_int8(const float* x, Index rows, Index width, const float* scale, std::uint32_t* out,
                   std::int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(PanelToInt8)(x, rows, width, scale, out, sums);
}
void panel_from_int8(const std::uint32_t* x, Index rows, Index width, const float* scale,
                     float* out) {
  HWY_DYNAMIC_DISPATCH(PanelFromInt8)(x, rows, width, scale, out);
}
void widen_panel_scales(const float* x, Index rows, Index width, float* scale) {
  HWY_DYNAMIC_DISPATCH(WidenPanelScales)(x, rows, width, scale);
}
void widen_ranges(const float* x, Index pixels, const Groups& c, float* lowest, float* highest) {
  HWY_DYNAMIC_DISPATCH(WidenRanges)(x, pixels, c, lowest, highest);
}
void pixels_to_int8(const float* x, Index pixels, const Groups& c, const float* inverse,
                    const float* zero, std::uint32_t* out) {
  HWY_DYNAMIC_DISPATCH(PixelsToInt8)(x, pixels, c, inverse, zero, out);
}
}  // namespace mezzo::kernels
#endif
