//! AdamW as torch.optim.AdamW computes it, with float32 master weights for bfloat16 models, and clipping by global norm.
//!
//! Where master weights and moments live, and in what form, is the recipe's choice ([`Memory`]). The step takes every parameter in pieces, so that what it
//! has at once does not grow with the largest; each number goes through the same operations whatever the choice.

use super::moments::{Moment, Order};
use super::split::Split;
use crate::error::{Error, Result};
use crate::model::params::{Params, wide};
use crate::plan::memory::STEP_PARAMETERS;
use crate::recipe::{Master as Form, Memory, Moments, Optimizer as Settings, Place};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, no_grad};

/// Entries of a parameter that the step takes at a time.
const PIECE: i64 = STEP_PARAMETERS as i64;

/// In what kind the gradients of several parts of a step are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sums {
    /// In the parameter's own.
    Own,
    /// In float32 where the parameter has 16 bits: keeps what adding up in 16 bits would round away, at four bytes a parameter.
    Float32,
}

/// The optimizer's state: one slot a trainable parameter.
#[derive(Debug)]
pub struct AdamW {
    settings: Settings,
    slots: Vec<Slot>,
    steps: u64,
    /// What the next step multiplies gradients by.
    factor: f64,
}

/// The numbers that steps add to. With learning rates of 1e-6 most updates are below one bfloat16 step.
#[derive(Debug)]
enum Master {
    /// The parameter itself.
    Parameter,
    /// Float32 behind a bfloat16 parameter, `[n]`.
    Float32(Tensor),
    /// What a bfloat16 parameter lacks of float32.
    Split(Split),
}

#[derive(Debug)]
struct Slot {
    name: String,
    param: Tensor,
    /// Where master and moments live, and where the step is computed.
    place: Device,
    /// The kind that it is computed in.
    kind: Kind,
    master: Master,
    exp_avg: Moment,
    exp_avg_sq: Moment,
    /// Gradients of the step's parts so far.
    sum: Option<Tensor>,
}

impl Slot {
    fn new(name: &str, param: &Tensor, memory: &Memory) -> Self {
        let (kind, n) = (wide(param.kind()), param.numel() as i64);
        let place = if memory.optimizer == Place::Host { Device::Cpu } else { param.device() };
        let master = match memory.master {
            _ if param.kind() == kind => Master::Parameter,
            Form::Float32 => Master::Float32(param.detach().view([-1]).to_device(place).to_kind(kind)),
            Form::Split => Master::Split(Split::new(n, PIECE, place)),
        };
        let moment = |order| match memory.moments {
            Moments::Float32 => Moment::wide(n, kind, place),
            Moments::Int8 => Moment::coded(order, n, place),
        };
        Self {
            name: name.to_owned(),
            param: param.shallow_clone(),
            place,
            kind,
            master,
            exp_avg: moment(Order::First),
            exp_avg_sq: moment(Order::Second),
            sum: None,
        }
    }

    /// Adds the gradient of a part of the step.
    fn take(&mut self, grad: &Tensor, sums: Sums) {
        match &mut self.sum {
            // Made below in another kind: nobody else's.
            Some(sum) if sum.kind() != grad.kind() => _ = sum.g_add_(grad),
            // What autograd gave may be shared with another parameter, or be one number seen many times.
            Some(sum) => *sum = &*sum + grad,
            None if sums == Sums::Float32 => self.sum = Some(grad.to_kind(self.kind)),
            None => self.sum = Some(grad.shallow_clone()),
        }
    }

    /// The gradient of the next step, `[n]`; `None` where there is none. What a plain backward pass left on the parameter counts.
    fn gradient(&self) -> Option<Tensor> {
        let own = Some(self.param.grad()).filter(Tensor::defined);
        let whole = match (&self.sum, own) {
            (Some(sum), Some(own)) => sum + own.to_kind(sum.kind()),
            (Some(sum), None) => sum.shallow_clone(),
            (None, own) => own?,
        };
        Some(whole.reshape([-1]))
    }

    /// Starts and lengths of the pieces of the parameter.
    fn pieces(&self) -> impl Iterator<Item = (i64, i64)> + use<> {
        let n = self.param.numel() as i64;
        (0..n).step_by(PIECE as usize).map(move |at| (at, PIECE.min(n - at)))
    }

    /// One step of the piece of `len` entries at `at`, whose gradient `[len]` is of the step's kind and place.
    fn step(&mut self, at: i64, len: i64, grad: &Tensor, rates: &Rates) {
        let mut param = self.param.detach().view([-1]).narrow(0, at, len);
        let mut weight = match &self.master {
            Master::Parameter => param.to_device(self.place),
            Master::Float32(master) => master.narrow(0, at, len),
            Master::Split(split) => split.load(at, &param),
        };
        if rates.decay != 1.0 {
            let _ = weight.g_mul_scalar_(rates.decay);
        }
        let mut exp_avg = self.exp_avg.load(at, len);
        let _ = exp_avg.lerp_(grad, 1.0 - rates.beta1);
        let mut exp_avg_sq = self.exp_avg_sq.load(at, len);
        let _ = exp_avg_sq.g_mul_scalar_(rates.beta2);
        let _ = exp_avg_sq.g_add_(&(grad * grad * (1.0 - rates.beta2)));
        let denominator = exp_avg_sq.sqrt() / rates.correction2 + rates.eps;
        let _ = weight.g_sub_(&(&exp_avg / denominator * rates.length));
        self.exp_avg.store(at, &exp_avg);
        self.exp_avg_sq.store(at, &exp_avg_sq);
        match &mut self.master {
            Master::Split(split) => split.store(at, &weight, &mut param),
            // Of a parameter on the spot the weight is a view: it has its numbers already.
            Master::Parameter if self.place == param.device() => {}
            _ => param.copy_(&weight),
        }
    }
}

/// What a step multiplies by.
struct Rates {
    beta1: f64,
    beta2: f64,
    eps: f64,
    /// Of the weight, before the step.
    decay: f64,
    /// Of the second moment's root: its bias at this step.
    correction2: f64,
    /// Learning rate over the first moment's bias.
    length: f64,
}

impl AdamW {
    /// For the trainable parameters, all moments zero, everything beside them.
    pub fn new(params: &Params, settings: &Settings) -> Self {
        Self::with_memory(params, settings, &Memory::default())
    }

    /// For the trainable parameters, all moments zero, kept as `memory` says.
    pub fn with_memory(params: &Params, settings: &Settings, memory: &Memory) -> Self {
        let slots = params.trainable().map(|(name, param)| Slot::new(name, param, memory)).collect();
        Self { settings: settings.clone(), slots, steps: 0, factor: 1.0 }
    }

    /// Takes up the gradients of a part of the step's loss. They live here until the step is done, and not on the parameters, whose gradients libtorch
    /// would keep for good.
    pub fn backward(&mut self, loss: &Tensor, sums: Sums) {
        self.backward_from(loss, &[], |_| true, sums);
    }

    /// Takes up the gradients of `root` for the parameters whose names `wanted` accepts, and returns those for `inputs`.
    pub fn backward_from(
        &mut self,
        root: &Tensor,
        inputs: &[&Tensor],
        wanted: impl Fn(&str) -> bool,
        sums: Sums,
    ) -> Vec<Tensor> {
        let places: Vec<usize> = (0..self.slots.len()).filter(|&i| wanted(&self.slots[i].name)).collect();
        let own = places.iter().map(|&i| &self.slots[i].param);
        let leaves: Vec<&Tensor> = inputs.iter().copied().chain(own).collect();
        let mut grads = Tensor::run_backward(&[root], &leaves, false, false);
        let own = grads.split_off(inputs.len());
        no_grad(|| {
            for (place, grad) in places.into_iter().zip(own) {
                if grad.defined() {
                    self.slots[place].take(&grad, sums);
                }
            }
        });
        grads
    }

    /// The gradients that the next step will take, before clipping, by name.
    pub fn gradients(&self) -> BTreeMap<String, Tensor> {
        let one = |slot: &Slot| Some((slot.name.clone(), slot.gradient()?.view(slot.param.size().as_slice())));
        self.slots.iter().filter_map(one).collect()
    }

    /// Has the next step scale the gradients to the global norm `max_grad_norm` if they exceed it; returns the norm before
    /// (torch.nn.utils.clip_grad_norm_: the factor is max / (norm + 1e-6), at most 1). The step multiplies in float32: a product
    /// rounded to bfloat16 would lose up to 0.4 % of every entry.
    ///
    /// # Errors
    /// Internal, when the norm is not a finite number: the step would destroy the weights.
    pub fn clip(&mut self) -> Result<f64> {
        no_grad(|| {
            let mut norms = Vec::new();
            for slot in &self.slots {
                let Some(grad) = slot.gradient() else { continue };
                // In the step's kind: a sum of squares in bfloat16 would be no norm.
                norms.extend(slot.pieces().map(|(at, len)| grad.narrow(0, at, len).to_kind(slot.kind).norm()));
            }
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

    /// One step at a learning rate; gradients are gone after it.
    pub fn step(&mut self, learning_rate: f64) {
        self.steps += 1;
        let Settings { beta1, beta2, eps, weight_decay, .. } = self.settings;
        let rates = Rates {
            beta1,
            beta2,
            eps,
            decay: 1.0 - learning_rate * weight_decay,
            correction2: (1.0 - beta2.powi(self.steps as i32)).sqrt(),
            length: learning_rate / (1.0 - beta1.powi(self.steps as i32)),
        };
        no_grad(|| {
            for slot in &mut self.slots {
                let Some(whole) = slot.gradient() else { continue };
                for (at, len) in slot.pieces() {
                    let grad = whole.narrow(0, at, len).to_device(slot.place).to_kind(slot.kind);
                    let grad = if self.factor < 1.0 { grad * self.factor } else { grad };
                    slot.step(at, len, &grad, &rates);
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
            let (name, shape) = (&slot.name, slot.param.size());
            for (moment, what) in [(&slot.exp_avg, "exp_avg"), (&slot.exp_avg_sq, "exp_avg_sq")] {
                for (end, tensor) in moment.state() {
                    let tensor = if end.is_empty() { tensor.view(shape.as_slice()) } else { tensor };
                    out.insert(format!("{what}.{name}{end}"), tensor);
                }
            }
            match &slot.master {
                Master::Parameter => {}
                Master::Float32(master) => _ = out.insert(format!("master.{name}"), master.view(shape.as_slice())),
                Master::Split(split) => {
                    let (low, ties) = split.state();
                    out.insert(format!("master_low.{name}"), low);
                    out.insert(format!("master_ties.{name}"), ties);
                }
            }
        }
        out
    }

    /// Takes back what [`AdamW::state`] gave, tensor by tensor, wherever it is. The parameters are those of that moment.
    ///
    /// # Errors
    /// Internal, naming the tensor that is missing or of another shape.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        let get =
            |name: &str| state.get(name).ok_or_else(|| Error::internal(format!("resume state: {name} is missing")));
        let fill = |name: &str, shape: &[i64], own: &Tensor| {
            let found = get(name)?;
            if found.size() != shape {
                let size = found.size();
                return Err(Error::internal(format!("resume state: {name}: expected {shape:?}, found {size:?}")));
            }
            own.shallow_clone().copy_(&found.view([-1]));
            Ok(())
        };
        for slot in &mut self.slots {
            let (name, shape) = (&slot.name, slot.param.size());
            for (moment, what) in [(&slot.exp_avg, "exp_avg"), (&slot.exp_avg_sq, "exp_avg_sq")] {
                for (end, own) in moment.state() {
                    let shape = if end.is_empty() { shape.clone() } else { own.size() };
                    fill(&format!("{what}.{name}{end}"), &shape, &own)?;
                }
            }
            match &mut slot.master {
                Master::Parameter => {}
                Master::Float32(master) => fill(&format!("master.{name}"), &shape, master)?,
                Master::Split(split) => {
                    let low = get(&format!("master_low.{name}"))?;
                    let fits = split.restore(low, get(&format!("master_ties.{name}"))?);
                    fits.ok_or_else(|| Error::internal(format!("resume state: master_low.{name}: of another size")))?;
                }
            }
        }
        self.steps = get("steps")?.int64_value(&[0]) as u64;
        Ok(())
    }
}
