// libtorch functions that its Rust binding does not have.

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/GradMode.h>

extern "C" bool aqa_grad_enabled() { return c10::GradMode::is_enabled(); }

// Bytes that tensors had of a CUDA device, and that the allocator held for them, each at its highest since the process began. False where that device has no
// such allocator, or none that was used.
extern "C" bool aqa_device_memory(int32_t index, int64_t* used, int64_t* held) noexcept try {
  auto* allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA));
  if (allocator == nullptr || !allocator->initialized()) return false;
  const auto stats = allocator->getDeviceStats(static_cast<c10::DeviceIndex>(index));
  const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  *used = stats.allocated_bytes[all].peak;
  *held = stats.reserved_bytes[all].peak;
  return true;
} catch (...) {
  return false;
}
