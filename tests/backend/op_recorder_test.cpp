#include "backend/op_recorder.h"

#include <gtest/gtest.h>

#include "reference.h"

namespace mezzo {
namespace {

TEST(OpRecorder, WritesWhatAnOperationDid) {
  const auto backend = make_cpu_backend();
  const PackedPtr packed =
      backend->pack_linear(test::random_tensor({20, 10}, 1), {}, Precision::kF32);
  const Tensor x = backend->upload(test::random_tensor({2, 3, 10}, 2));
  Tensor out(*backend, DType::kF32, {2, 3, 20});
  OpLog log;
  backend->set_log(&log);
  backend->linear(x, *packed, {}, out);
  backend->set_log(nullptr);
  backend->linear(x, *packed, {}, out);
  ASSERT_EQ(log.records.size(), 1u);
  EXPECT_EQ(log.records[0].name, "linear");
  EXPECT_EQ(log.records[0].flops, 2 * 6 * 10 * 20);
  EXPECT_EQ(log.records[0].bytes, 4 * (60 + 120 + 200));
  EXPECT_GT(log.records[0].seconds, 0);
}

TEST(OpRecorder, NoOperationBeginsAfterAStop) {
  for (const auto make : {make_cpu_backend, make_meta_backend}) {
    const auto backend = make({});
    const Tensor x = backend->upload(test::random_tensor({1, 4, 4, 8}, 1));
    Tensor y(*backend, DType::kF32, x.shape());
    std::stop_source stop;
    backend->set_stop(stop.get_token());
    EXPECT_NO_THROW(backend->copy(x, y));
    stop.request_stop();
    EXPECT_THROW(backend->copy(x, y), Cancelled);
    EXPECT_THROW(backend->group_norm(x, {}, {}, {2}, y), Cancelled);
    EXPECT_THROW(backend->activate(x, Activation::kSilu, y), Cancelled);
    EXPECT_THROW(
        backend->attention(x.view({1, 16, 8}), x.view({1, 16, 8}), x.view({1, 16, 8}), {}, y),
        Cancelled);
  }
}

}  // namespace
}  // namespace mezzo
