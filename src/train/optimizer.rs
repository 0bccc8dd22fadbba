//! AdamW as torch.optim.AdamW computes it, with float32 master weights for bfloat16 models, and clipping by global norm.

use crate::error::{Error, Result};
use crate::model::params::{Params, wide};
use crate::recipe::Optimizer as Settings;
use std::collections::BTreeMap;
use tch::{Tensor, no_grad};

/// The optimizer's state: one slot a trainable parameter.
#[derive(Debug)]
pub struct AdamW {
    settings: Settings,
    slots: Vec<Slot>,
    steps: u64,
    /// What the next step multiplies gradients by.
    factor: f64,
}

#[derive(Debug)]
struct Slot {
    name: String,
    param: Tensor,
    /// Float32 weight behind a bfloat16 one. With learning rates of 1e-6 most updates are below one bfloat16 step.
    master: Option<Tensor>,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    /// Gradients taken out of a 16-bit parameter by [`AdamW::accumulate`], summed in float32.
    sum: Option<Tensor>,
}

impl Slot {
    /// The gradient of the next step in the moments' kind, a copy or the sum itself; `None` where there is none.
    fn gradient(&self) -> Option<Tensor> {
        let own = Some(self.param.grad()).filter(Tensor::defined).map(|g| g.to_kind(self.exp_avg.kind()));
        match (&self.sum, own) {
            (Some(sum), Some(own)) => Some(sum + own),
            (Some(sum), None) => Some(sum.shallow_clone()),
            (None, own) => own,
        }
    }
}

impl AdamW {
    /// For the trainable parameters, all moments zero.
    pub fn new(params: &Params, settings: &Settings) -> Self {
        let slot = |(name, param): (&String, &Tensor)| {
            let wide = wide(param.kind());
            let zeros = || Tensor::zeros(param.size(), (wide, param.device()));
            let master = (param.kind() != wide).then(|| param.detach().to_kind(wide));
            Slot {
                name: name.clone(),
                param: param.shallow_clone(),
                master,
                exp_avg: zeros(),
                exp_avg_sq: zeros(),
                sum: None,
            }
        };
        Self { settings: settings.clone(), slots: params.trainable().map(slot).collect(), steps: 0, factor: 1.0 }
    }

    /// Takes the gradients out of 16-bit parameters into float32 sums. Called after the backward pass of each part of a step, it keeps what adding
    /// the parts up in 16 bits would round away; wider parameters add theirs up themselves. Costs four bytes a parameter.
    pub fn accumulate(&mut self) {
        no_grad(|| {
            for slot in &mut self.slots {
                let grad = slot.param.grad();
                if slot.master.is_none() || !grad.defined() {
                    continue;
                }
                match &mut slot.sum {
                    Some(sum) => _ = sum.g_add_(&grad),
                    None => slot.sum = Some(grad.to_kind(slot.exp_avg.kind())),
                }
                slot.param.zero_grad();
            }
        });
    }

    /// Has the next step scale the gradients to the global norm `max_grad_norm` if they exceed it; returns the norm before
    /// (torch.nn.utils.clip_grad_norm_: the factor is max / (norm + 1e-6), at most 1). The step multiplies in float32: a product
    /// rounded to bfloat16 would lose up to 0.4 % of every entry.
    ///
    /// # Errors
    /// Internal, when the norm is not a finite number: the step would destroy the weights.
    pub fn clip(&mut self) -> Result<f64> {
        no_grad(|| {
            let norms: Vec<Tensor> = self.slots.iter().filter_map(|s| s.gradient().map(|g| g.norm())).collect();
            if norms.is_empty() {
                return Err(Error::internal("no parameter has a gradient"));
            }
            let norm = Tensor::stack(&norms, 0).norm().double_value(&[]);
            if !norm.is_finite() {
                return Err(Error::internal(format!(
                    "the gradient's norm is {norm}: the step is not taken; lower the learning rate"
                )));
            }
            self.factor = (self.settings.max_grad_norm / (norm + 1e-6)).min(1.0);
            Ok(norm)
        })
    }

    /// One step at a learning rate; gradients are zeroed after it.
    pub fn step(&mut self, learning_rate: f64) {
        self.steps += 1;
        let Settings { beta1, beta2, eps, weight_decay, .. } = self.settings;
        let correction1 = 1.0 - beta1.powi(self.steps as i32);
        let correction2 = (1.0 - beta2.powi(self.steps as i32)).sqrt();
        no_grad(|| {
            for slot in &mut self.slots {
                let Some(mut grad) = slot.gradient() else { continue };
                if self.factor < 1.0 {
                    // Zeroed below, or a copy: nobody sees the scaled gradient.
                    let _ = grad.g_mul_scalar_(self.factor);
                }
                let mut weight = slot.master.as_ref().map_or_else(|| slot.param.detach(), Tensor::shallow_clone);
                if weight_decay != 0.0 {
                    let _ = weight.g_mul_scalar_(1.0 - learning_rate * weight_decay);
                }
                let _ = slot.exp_avg.lerp_(&grad, 1.0 - beta1);
                let _ = slot.exp_avg_sq.g_mul_scalar_(beta2);
                let _ = slot.exp_avg_sq.g_add_(&(&grad * &grad * (1.0 - beta2)));
                let denominator = slot.exp_avg_sq.sqrt() / correction2 + eps;
                let _ = weight.g_sub_(&(&slot.exp_avg / denominator * (learning_rate / correction1)));
                if slot.master.is_some() {
                    slot.param.detach().copy_(&weight);
                }
                slot.param.zero_grad();
                slot.sum = None;
            }
        });
        self.factor = 1.0;
    }

    /// Everything a resume needs, by name: masters and moments, and the number of steps.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut out = BTreeMap::from([("steps".to_owned(), Tensor::from_slice(&[self.steps as i64]))]);
        for slot in &self.slots {
            out.insert(format!("exp_avg.{}", slot.name), slot.exp_avg.shallow_clone());
            out.insert(format!("exp_avg_sq.{}", slot.name), slot.exp_avg_sq.shallow_clone());
            if let Some(master) = &slot.master {
                out.insert(format!("master.{}", slot.name), master.shallow_clone());
            }
        }
        out
    }

    /// Takes back what [`AdamW::state`] gave.
    ///
    /// # Errors
    /// Internal, naming the tensor that is missing or of another shape.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        let get = |name: &str, like: &Tensor| match state.get(name) {
            Some(t) if t.size() == like.size() => Ok(t.to_device(like.device())),
            Some(t) => {
                Err(Error::internal(format!("resume state: {name}: expected {:?}, found {:?}", like.size(), t.size())))
            }
            None => Err(Error::internal(format!("resume state: {name} is missing"))),
        };
        for slot in &mut self.slots {
            slot.exp_avg = get(&format!("exp_avg.{}", slot.name), &slot.exp_avg)?;
            slot.exp_avg_sq = get(&format!("exp_avg_sq.{}", slot.name), &slot.exp_avg_sq)?;
            if let Some(master) = &mut slot.master {
                *master = get(&format!("master.{}", slot.name), master)?;
            }
        }
        let steps = state.get("steps").ok_or_else(|| Error::internal("resume state: steps is missing"))?;
        self.steps = steps.int64_value(&[0]) as u64;
        Ok(())
    }
}
