// libtorch functions that its Rust binding does not have.

#include <c10/core/GradMode.h>

extern "C" bool aqa_grad_enabled() { return c10::GradMode::is_enabled(); }
