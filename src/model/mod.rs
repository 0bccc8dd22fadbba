//! Qwen2-Audio in tch: configuration, weights, audio encoder, projector, language model, cache. Inference and training share it.
//!
//! Fields carry the checkpoint's names; shapes stand beside each reshape. Semantics: transformers 4.49.0
//! `modeling_qwen2_audio.py` and `modeling_qwen2.py`.

pub mod checkpoint;
pub mod encoder;
mod guard;
pub mod kv_cache;
pub mod language;
pub mod layers;
pub mod lora;
pub mod mask;
pub mod params;
pub mod weights;

pub use guard::guard;

use crate::architecture::Config;
use crate::audio::Features;
use crate::error::{Error, Result};
use crate::recipe::Dtype;
use encoder::{Encoder, frames_needed, of_like_length, pooled_length};
use language::Language;
use layers::Linear;
use params::Params;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The model: what hears, what joins, what speaks.
#[derive(Debug)]
pub struct Qwen2Audio {
    config: Config,
    params: Params,
    audio_tower: Encoder,
    multi_modal_projector: Linear,
    language_model: Language,
    device: Device,
}

impl Qwen2Audio {
    /// Builds the model over parameters whose names and shapes fit the configuration.
    pub fn new(config: Config, params: Params, device: Device) -> Result<Self> {
        // The CPU has its own kernel for few rows, which takes weights where they lie.
        let params = if device.is_cuda() { params.packed(&config) } else { params };
        Ok(Self {
            audio_tower: Encoder::new(&config.audio, &params)?,
            multi_modal_projector: Linear::with_bias(&params, "multi_modal_projector.linear")?,
            language_model: Language::new(&config.text, &params)?,
            config,
            params,
            device,
        })
    }

    /// Loads a checkpoint folder in Hugging Face layout.
    pub fn load(dir: &Path, dtype: Dtype, device: Device) -> Result<Self> {
        let mut config = Config::load(dir)?;
        config.dtype = dtype;
        let params = weights::load(dir, &config, dtype, device)?;
        Self::new(config, params, device)
    }

    /// A model over the same weights (shared) with adapters on them; only those are trained.
    pub fn with_adapters(&self, adapters: lora::Adapters) -> Result<Self> {
        Self::new(self.config.clone(), self.params.with_adapters(Some(adapters)), self.device)
    }

    /// A model over the same weights (shared) without adapters: the frozen reference of a policy that trains adapters.
    pub fn without_adapters(&self) -> Result<Self> {
        Self::new(self.config.clone(), self.params.with_adapters(None), self.device)
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The kind of its weights and activations.
    pub fn kind(&self) -> Kind {
        params::kind(self.config.dtype)
    }

    /// The language model.
    pub fn language(&self) -> &Language {
        &self.language_model
    }

    /// The features of clips as one tensor `[clips, mel, F]`, F cut to what the longest needs, and their valid frames.
    pub fn input_features(&self, clips: &[&Features]) -> (Tensor, Vec<i64>) {
        let valid: Vec<i64> = clips.iter().map(|f| f.valid_frames as i64).collect();
        let longest = valid.iter().copied().max().unwrap_or(0);
        let frames = frames_needed(longest, self.audio_tower.max_frames());
        let values: Vec<f32> = clips.iter().flat_map(|f| f.to_frames(frames as usize)).collect();
        let shape = [clips.len() as i64, self.config.audio.num_mel_bins, frames];
        (Tensor::from_slice(&values).view(shape).to_device(self.device), valid)
    }

    /// Clips to embeddings in the language model's space, `[tokens of all clips, hidden]`, clips in order. Those of like length go together, so that none is
    /// padded by much.
    ///
    /// # Errors
    /// Internal, as [`Encoder::forward`].
    pub fn encode_audio(&self, clips: &[&Features]) -> Result<Tensor> {
        let lengths: Vec<i64> = clips.iter().map(|f| f.valid_frames as i64).collect();
        let batches = of_like_length(&lengths);
        if batches.len() < 2 {
            return self.encode_together(clips);
        }
        let (mut encoded, mut starts, mut next) = (Vec::with_capacity(batches.len()), vec![0; clips.len()], 0);
        for batch in &batches {
            encoded.push(self.encode_together(&batch.iter().map(|&i| clips[i]).collect::<Vec<_>>())?);
            for &i in batch {
                starts[i] = next;
                next += pooled_length(lengths[i]);
            }
        }
        let rows = starts.iter().zip(&lengths).flat_map(|(&start, &length)| start..start + pooled_length(length));
        let rows = Tensor::from_slice(&rows.collect::<Vec<i64>>()).to_device(self.device);
        Ok(Tensor::cat(&encoded, 0).index_select(0, &rows))
    }

    /// As [`Self::encode_audio`], all clips padded to the longest.
    fn encode_together(&self, clips: &[&Features]) -> Result<Tensor> {
        let (features, valid) = self.input_features(clips);
        let encoded = self.audio_tower.forward(&features, &valid)?; // [clips, F/4, d_model]
        let (_, stride, d_model) = encoded.size3().map_err(|e| Error::internal(e.to_string()))?;
        let rows: Vec<i64> = valid
            .iter()
            .enumerate()
            .flat_map(|(clip, &n)| (0..pooled_length(n)).map(move |t| clip as i64 * stride + t))
            .collect();
        let rows = Tensor::from_slice(&rows).to_device(self.device);
        Ok(self.multi_modal_projector.forward(&encoded.reshape([-1, d_model]).index_select(0, &rows)))
    }

    /// Token ids `[B][T]` (rows of one length) to embeddings `[B, T, hidden]`, the audio embeddings in place of the placeholders, in order.
    ///
    /// # Errors
    /// Internal, with both counts, when placeholders and embeddings differ in number.
    pub fn embed(&self, input_ids: &[Vec<i64>], audio: Option<&Tensor>) -> Result<Tensor> {
        let (b, t) = (input_ids.len() as i64, input_ids.first().map_or(0, Vec::len) as i64);
        let flat: Vec<i64> = input_ids.iter().flatten().copied().collect();
        let placeholder = self.config.audio_token_index;
        let wanted = flat.iter().filter(|&&id| id == placeholder).count() as i64;
        let found = audio.map_or(0, |a| a.size()[0]);
        if wanted != found {
            return Err(Error::internal(format!(
                "{wanted} audio placeholders in the ids, but {found} audio embeddings"
            )));
        }
        let ids = Tensor::from_slice(&flat).to_device(self.device);
        let text = self.language_model.embed(&ids); // [B*T, hidden]
        let hidden = self.config.text.hidden_size;
        let Some(audio) = audio.filter(|_| found > 0) else {
            return Ok(text.view([b, t, hidden]));
        };
        // Rows of [text; audio]: a gather has a deterministic backward, a masked scatter has not.
        let mut next = b * t;
        let rows: Vec<i64> = flat
            .iter()
            .enumerate()
            .map(|(i, &id)| {
                if id != placeholder {
                    return i as i64;
                }
                next += 1;
                next - 1
            })
            .collect();
        let rows = Tensor::from_slice(&rows).to_device(self.device);
        Ok(Tensor::cat(&[&text, audio], 0).index_select(0, &rows).view([b, t, hidden]))
    }
}
