// Functions of vectors of float32 for the kernels. Included once per instruction set
// (hwy/foreach_target.h).
#if defined(MEZZO_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEZZO_VECTOR_MATH_INL_H_
#undef MEZZO_VECTOR_MATH_INL_H_
#else
#define MEZZO_VECTOR_MATH_INL_H_
#endif

#include <cstdint>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "backend/backend.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F = hn::ScalableTag<float>;
using V = hn::Vec<F>;

HWY_INLINE std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(F())); }

/// The first n values of a vector, fewer than it has, and zeros; nothing beyond them is touched.
HWY_INLINE V load_first(const float* p, std::int64_t n) {
  const F f;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(f, static_cast<std::size_t>(n)), f, p);
#else
  HWY_ALIGN float values[HWY_MAX_BYTES / sizeof(float)] = {};
  for (std::int64_t i = 0; i < n; ++i) values[i] = p[i];
  return hn::Load(f, values);
#endif
}
HWY_INLINE void store_first(V v, float* p, std::int64_t n) {
  const F f;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(f, static_cast<std::size_t>(n)), f, p);
#else
  HWY_ALIGN float values[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, f, values);
  for (std::int64_t i = 0; i < n; ++i) p[i] = values[i];
#endif
}

/// Maps vectors of 0..n-1 of each input by `body` to the vector of the output.
template <class Body, class... In>
HWY_INLINE void map(std::int64_t n, float* out, const Body& body, const In*... in) {
  const F f;
  const std::int64_t step = lanes();
  std::int64_t i = 0;
  for (; i + step <= n; i += step) hn::StoreU(body(hn::LoadU(f, in + i)...), f, out + i);
  if (i < n) store_first(body(load_first(in + i, n - i)...), out + i, n - i);
}

/// x = whole + rest with |rest| <= 1/2, and p * 2^whole. |x| < 2^21.
#if HWY_TARGET == HWY_AVX3
class Split {
 public:
  HWY_INLINE explicit Split(V x) : x_(x), rest_{_mm512_reduce_ps(x.raw, kToNearest)} {}
  HWY_INLINE V rest() const { return rest_; }
  HWY_INLINE V scale(V p) const { return V{_mm512_scalef_ps(p.raw, hn::Sub(x_, rest_).raw)}; }

 private:
  static constexpr int kToNearest = 8;  // and no exception
  V x_, rest_;
};
#else
class Split {
 public:
  // A number of which the last bit of the mantissa counts ones rounds sums to whole numbers and has
  // them in its lowest bits, so that neither rounding nor conversion takes an instruction.
  HWY_INLINE explicit Split(V x) {
    const V magic = hn::Set(F(), 12582912.0f);  // 1.5 * 2^23
    shifted_ = hn::Add(x, magic);
    rest_ = hn::Sub(x, hn::Sub(shifted_, magic));
  }
  HWY_INLINE V rest() const { return rest_; }
  HWY_INLINE V scale(V p) const {
    const hn::RebindToSigned<F> di;
    return hn::BitCast(F(),
                       hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted_))));
  }

 private:
  V shifted_, rest_;
};
#endif

constexpr float kLeastExponent = -125;  // whose powers are no denormal numbers

/// The larger of both; NaN where x is, which Max of NEON would hide.
HWY_INLINE V at_least(float least, V x) {
  const V v = hn::Set(F(), least);
#if HWY_ARCH_X86
  return hn::Max(v, x);  // of NaN the second
#else
  return hn::IfThenElse(hn::Gt(v, x), v, x);
#endif
}

/// 2^x, relative error 2e-7; 2^-125 below that. x <= 126.
HWY_INLINE V exp2(V x) {
  const F f;
  const Split s(at_least(kLeastExponent, x));
  const V r = s.rest();
  // least relative error on [-1/2, 1/2], as all coefficients here
  V p = hn::Set(f, 1.326465280726552e-3f);
  p = hn::MulAdd(p, r, hn::Set(f, 9.671511128544807e-3f));
  p = hn::MulAdd(p, r, hn::Set(f, 5.550733953714371e-2f));
  p = hn::MulAdd(p, r, hn::Set(f, 2.4022242426872253e-1f));
  p = hn::MulAdd(p, r, hn::Set(f, 6.931470036506653e-1f));
  p = hn::MulAdd(p, r, hn::Set(f, 1.0f));
  return s.scale(p);
}

/// The same with a relative error of 1e-4, for values that are rounded to fewer bits; where numbers
/// are too small to be normal ones, anything that small.
#if HWY_TARGET == HWY_AVX3
HWY_INLINE V rough_exp2(V x) {
  constexpr int kDown = 9;  // and no exception
  const F f;
  const V rest{_mm512_reduce_ps(x.raw, kDown)};
  V p = hn::Set(f, 7.802452e-2f);
  p = hn::MulAdd(p, rest, hn::Set(f, 2.2606716e-1f));
  p = hn::MulAdd(p, rest, hn::Set(f, 6.9583354e-1f));
  p = hn::MulAdd(p, rest, hn::Set(f, 9.9992522e-1f));
  return V{_mm512_scalef_ps(p.raw, x.raw)};  // which rounds x down
}
#else
HWY_INLINE V rough_exp2(V x) {
  const F f;
  const Split s(at_least(kLeastExponent, x));
  V p = hn::Set(f, 5.500893294811249e-2f);
  p = hn::MulAdd(p, s.rest(), hn::Set(f, 2.4221095442771912e-1f));
  p = hn::MulAdd(p, s.rest(), hn::Set(f, 6.932829022407532e-1f));
  p = hn::MulAdd(p, s.rest(), hn::Set(f, 1.0f));
  return s.scale(p);
}
#endif

/// e^x, relative error 3e-7; 0 below -87, infinite above 88.
HWY_INLINE V exp(V x) {
  const F f;
  const hn::RebindToSigned<F> di;
  const V lowest = hn::Set(f, -87.0f), highest = hn::Set(f, 88.0f);
  const auto normal = hn::Ge(x, lowest), finite = hn::Le(x, highest);
  x = hn::Min(hn::Max(x, lowest), highest);
  const V whole = hn::Round(hn::Mul(x, hn::Set(f, 1.44269504f)));
  // x - whole * ln 2, with ln 2 split so that the first product is exact
  V r = hn::NegMulAdd(whole, hn::Set(f, 0.693359375f), x);
  r = hn::NegMulAdd(whole, hn::Set(f, -2.12194440e-4f), r);
  V p = hn::Set(f, 1.0f / 720);
  p = hn::MulAdd(p, r, hn::Set(f, 1.0f / 120));
  p = hn::MulAdd(p, r, hn::Set(f, 1.0f / 24));
  p = hn::MulAdd(p, r, hn::Set(f, 1.0f / 6));
  p = hn::MulAdd(p, r, hn::Set(f, 0.5f));
  p = hn::MulAdd(p, r, hn::Set(f, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(f, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, whole));
  const V result =
      hn::IfThenElseZero(normal, hn::BitCast(f, hn::Add(hn::BitCast(di, p), exponent)));
  return hn::IfThenElse(finite, result, hn::Inf(f));
}

/// x / y, relative error 2e-7, for y between 1 and 2^126.
HWY_INLINE V divide(V x, V y) {
#if HWY_TARGET == HWY_AVX3                      // where a division takes as long as 16 products
  const V near = hn::ApproximateReciprocal(y);  // 14 bits; a step of Newton's method doubles them
  return hn::Mul(x, hn::MulAdd(near, hn::NegMulAdd(y, near, hn::Set(F(), 1.0f)), near));
#else
  return hn::Div(x, y);
#endif
}

/// x / (1 + e^-(k x)), relative error 5e-7 and 6e-8 |k x| more.
HWY_INLINE V times_sigmoid(V x, V kx) {
  const F f;
  const V exponent = hn::Min(hn::Mul(kx, hn::Set(f, -1.44269504f)), hn::Set(f, 125.0f));
  return divide(x, hn::Add(hn::Set(f, 1.0f), exp2(exponent)));
}

/// x Phi(x), Phi the normal distribution function, through erfc(z) e^(z^2) as a polynomial of t = 1
/// / (1 + 0.4 z).
HWY_INLINE V gelu(V x) {
  const F f;
  const V z = hn::Mul(hn::Abs(x), hn::Set(f, 0.70710678f));
  const V t = hn::Div(hn::Set(f, 1.0f), hn::MulAdd(hn::Set(f, 0.4f), z, hn::Set(f, 1.0f)));
  V p = hn::Set(f, 0.0419418029487133f);
  p = hn::MulAdd(p, t, hn::Set(f, -0.14358912408351898f));
  p = hn::MulAdd(p, t, hn::Set(f, 0.0905594453215599f));
  p = hn::MulAdd(p, t, hn::Set(f, 0.08068357408046722f));
  p = hn::MulAdd(p, t, hn::Set(f, 0.08460269868373871f));
  p = hn::MulAdd(p, t, hn::Set(f, 0.19141513109207153f));
  p = hn::MulAdd(p, t, hn::Set(f, 0.20236964523792267f));
  p = hn::MulAdd(p, t, hn::Set(f, 0.2263791263103485f));
  p = hn::MulAdd(p, t, hn::Set(f, 0.2256377637386322f));
  p = hn::Mul(p, t);
  const V tail = hn::Mul(hn::Mul(hn::Set(f, 0.5f), p), exp(hn::Neg(hn::Mul(z, z))));  // Phi(-|x|)
  const V small = hn::Mul(x, tail);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(f)), small, hn::Sub(x, small));
}

HWY_INLINE V silu(V x) { return times_sigmoid(x, x); }
HWY_INLINE V quick_gelu(V x) { return times_sigmoid(x, hn::Mul(x, hn::Set(F(), 1.702f))); }
/// x/2 (1 + tanh(u)) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
HWY_INLINE V gelu_tanh(V x) {
  const F f;
  const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(f, 0.044715f), hn::Set(f, 1.0f));
  return times_sigmoid(x, hn::Mul(hn::Mul(x, cubic), hn::Set(f, 1.59576912f)));
}

/// Calls body(function) with the vector function of that activation.
template <class Body>
HWY_INLINE void with_activation(Activation a, const Body& body) {
  switch (a) {
    case Activation::kNone:
      return body([](V x) HWY_ATTR { return x; });
    case Activation::kSilu:
      return body([](V x) HWY_ATTR { return silu(x); });
    case Activation::kGelu:
      return body([](V x) HWY_ATTR { return gelu(x); });
    case Activation::kGeluTanh:
      return body([](V x) HWY_ATTR { return gelu_tanh(x); });
    case Activation::kQuickGelu:
      return body([](V x) HWY_ATTR { return quick_gelu(x); });
    case Activation::kTanh:
      return body([](V x) HWY_ATTR { return hn::Tanh(F(), x); });
    case Activation::kExp:
      return body([](V x) HWY_ATTR { return exp(x); });
    case Activation::kRelu:
      return body([](V x) HWY_ATTR { return hn::Max(x, hn::Zero(F())); });
  }
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
