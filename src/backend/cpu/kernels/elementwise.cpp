#include "backend/cpu/kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/kernels/elementwise.cpp"
#include <hwy/foreach_target.h>
// after foreach_target.h
#include "backend/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {
using kernels::Index;

void Activate(const float* x, Index n, Activation activation, float* out) {
  with_activation(activation, [&](auto f) HWY_ATTR {
    map(
        n, out, [&](V v) HWY_ATTR { return f(v); }, x);
  });
}

void Finish(const float* x, const float* other, Index n, Activation activation, float* out) {
  with_activation(activation, [&](auto f) HWY_ATTR {
    map(
        n, out, [&](V v, V o) HWY_ATTR { return hn::Add(f(v), o); }, x, other);
  });
}

void Add(const float* a, const float* b, Index n, float* out) {
  map(
      n, out, [](V x, V y) HWY_ATTR { return hn::Add(x, y); }, a, b);
}

void Multiply(const float* a, const float* b, Index n, float* out) {
  map(
      n, out, [](V x, V y) HWY_ATTR { return hn::Mul(x, y); }, a, b);
}

void Scale(const float* x, Index n, float factor, float offset, float* out) {
  const V k = hn::Set(F(), factor), c = hn::Set(F(), offset);
  map(
      n, out, [&](V v) HWY_ATTR { return hn::MulAdd(v, k, c); }, x);
}

void Clamp(const float* x, Index n, float low, float high, float* out) {
  const V least = hn::Set(F(), low), most = hn::Set(F(), high);
  map(
      n, out, [&](V v) HWY_ATTR { return hn::Min(hn::Max(v, least), most); }, x);
}

void Geglu(const float* value, const float* gate, Index n, float* out) {
  map(
      n, out, [](V v, V g) HWY_ATTR { return hn::Mul(v, gelu(g)); }, value, gate);
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(Activate);
HWY_EXPORT(Finish);
HWY_EXPORT(Add);
HWY_EXPORT(Multiply);
HWY_EXPORT(Scale);
HWY_EXPORT(Clamp);
HWY_EXPORT(Geglu);

void activate(const float* x, Index n, Activation activation, float* out) {
  HWY_DYNAMIC_DISPATCH(Activate)(x, n, activation, out);
}
void finish(const float* x, const float* other, Index n, Activation activation, float* out) {
  if (other)
    HWY_DYNAMIC_DISPATCH(Finish)(x, other, n, activation, out);
  else
    HWY_DYNAMIC_DISPATCH(Activate)(x, n, activation, out);
}
void add(const float* a, const float* b, Index n, float* out) {
  HWY_DYNAMIC_DISPATCH(Add)(a, b, n, out);
}
void multiply(const float* a, const float* b, Index n, float* out) {
  HWY_DYNAMIC_DISPATCH(Multiply)(a, b, n, out);
}
void scale(const float* x, Index n, float factor, float offset, float* out) {
  HWY_DYNAMIC_DISPATCH(Scale)(x, n, factor, offset, out);
}
void clamp(const float* x, Index n, float low, float high, float* out) {
  HWY_DYNAMIC_DISPATCH(Clamp)(x, n, low, high, out);
}
void geglu(const float* value, const float* gate, Index n, float* out) {
  HWY_DYNAMIC_DISPATCH(Geglu)(value, gate, n, out);
}
}  // namespace mezzo::kernels
#endif
