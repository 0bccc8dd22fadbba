//! Learning rate by step.

use crate::recipe::{Schedule, Shape};

/// The learning rate of step `step` (0-based), as transformers' `get_linear_schedule_with_warmup` and
/// `get_constant_schedule_with_warmup` give it. Its length is separate from the step at which training stops.
pub fn learning_rate(peak: f64, schedule: &Schedule, step: u64) -> f64 {
    if step < schedule.warmup_steps {
        return peak * step as f64 / schedule.warmup_steps as f64;
    }
    match schedule.shape {
        Shape::Constant => peak,
        Shape::Linear => {
            let left = schedule.total_steps.saturating_sub(step) as f64;
            peak * left / (schedule.total_steps - schedule.warmup_steps).max(1) as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_run_is_at_half_its_rate_at_step_500() {
        let s = Schedule { shape: Shape::Linear, warmup_steps: 0, total_steps: 1000 };
        assert_eq!(learning_rate(1e-6, &s, 0), 1e-6);
        assert_eq!(learning_rate(1e-6, &s, 500), 5e-7);
        assert_eq!(learning_rate(1e-6, &s, 1000), 0.0);
    }

    #[test]
    fn warm_up_rises_from_nothing() {
        let s = Schedule { shape: Shape::Constant, warmup_steps: 10, total_steps: 100 };
        let rates: Vec<f64> = (0..12).map(|i| learning_rate(2.0, &s, i)).collect();
        assert_eq!(rates[..3], [0.0, 0.2, 0.4]);
        assert_eq!(rates[10..], [2.0, 2.0]);
    }
}
