//! Weights on disk: sharded safetensors in both naming schemes, memory-mapped on the way in, renamed into place on the way out.

use super::params::{Params, expected, kind};
use crate::architecture::Config;
use crate::error::{Context, Error, Result};
use crate::recipe::Dtype;
use memmap2::{Mmap, UncheckedAdvice};
use safetensors::tensor::{Dtype as FileDtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";
const LM_HEAD: &str = "language_model.lm_head.weight";

/// The name that transformers 4.x saves under, for a name of either scheme (transformers 5.23.0 `conversion_mapping.py`).
fn canonical(name: &str) -> String {
    let inner = name.strip_prefix("model.").unwrap_or(name);
    if inner.starts_with("audio_tower.") || inner.starts_with("multi_modal_projector.") {
        return inner.to_owned();
    }
    if let Some(rest) = name.strip_prefix("model.language_model.") {
        return format!("language_model.model.{rest}");
    }
    if name == "lm_head.weight" { LM_HEAD.to_owned() } else { name.to_owned() }
}

/// The weight files of a checkpoint, in order: the ones its index names, or the single file.
///
/// # Errors
/// Exit code 4 when there are none, or the index names a file that is not there.
pub fn shard_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let index = dir.join(INDEX);
    if !index.exists() {
        let single = dir.join(SINGLE);
        if single.exists() {
            return Ok(vec![single]);
        }
        return Err(Error::inputs(format!("{}: expected {INDEX} or {SINGLE}, found neither", dir.display())));
    }
    let text = std::fs::read_to_string(&index).inputs(|| format!("cannot read {}", index.display()))?;
    let value: Value = serde_json::from_str(&text).inputs(|| format!("{}: expected JSON", index.display()))?;
    let map = value.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| Error::inputs(format!("{}: expected a key weight_map", index.display())))?;
    let mut files: Vec<String> = map.values().filter_map(Value::as_str).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    let missing: Vec<&String> = files.iter().filter(|f| !dir.join(f).exists()).collect();
    if files.is_empty() || !missing.is_empty() {
        let missing = if files.is_empty() { "any file".to_owned() } else { format!("{missing:?}") };
        return Err(Error::inputs(format!("{}: names {missing}, not found beside it", index.display())));
    }
    Ok(files.iter().map(|f| dir.join(f)).collect())
}

/// Loads a checkpoint's weights as `dtype` onto `device`. Names must agree both ways and shapes with the configuration.
///
/// # Errors
/// Exit code 4: every missing name, extra name and wrong shape (the first 20 of each), or the file that cannot be read.
pub fn load(dir: &Path, config: &Config, dtype: Dtype, device: Device) -> Result<Params> {
    let wanted: HashMap<String, Vec<i64>> = expected(config).into_iter().collect();
    let mut tensors = BTreeMap::new();
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    for path in shard_files(dir)? {
        let file = std::fs::File::open(&path).inputs(|| format!("cannot open {}", path.display()))?;
        // SAFETY: a map of a file that another process truncates while it is read would fault; checkpoints are not written
        // in place by this program (temporary name, rename), and the same holds for every loader of this format.
        let map = unsafe { Mmap::map(&file) }.inputs(|| format!("cannot map {}", path.display()))?;
        let shard = SafeTensors::deserialize(&map).map_err(|e| {
            let size = map.len();
            Error::inputs(format!(
                "{}: expected a whole safetensors file, found {size} bytes that are not one ({e}); fetch it again",
                path.display()
            ))
        })?;
        for (raw, view) in shard.iter() {
            let name = canonical(raw);
            seen.insert(name.clone());
            let shape: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
            match wanted.get(&name) {
                // A tied head may be saved beside the embedding it equals; the model has no place for it.
                None if name == LM_HEAD && config.text.tie_word_embeddings => {}
                None => problems.push(format!("{}: {raw}: not a parameter of this model (extra)", path.display())),
                Some(want) if *want != shape => problems
                    .push(format!("{}: {raw}: config.json implies shape {want:?}, found {shape:?}", path.display())),
                Some(_) => match to_tensor(&view, dtype, device) {
                    Ok(tensor) => {
                        done_with(&map, &view);
                        if tensors.insert(name, tensor).is_some() {
                            problems.push(format!("{}: {raw}: in the checkpoint twice", path.display()));
                        }
                    }
                    Err(why) => problems.push(format!("{}: {raw}: {why}", path.display())),
                },
            }
        }
    }
    let missing = expected(config).into_iter().filter(|(name, _)| !seen.contains(name));
    problems.extend(
        missing.map(|(name, shape)| format!("{}: {name} {shape:?}: not in the checkpoint (missing)", dir.display())),
    );
    if problems.is_empty() {
        return Ok(Params::new(tensors));
    }
    let more = problems.len().saturating_sub(20);
    problems.truncate(20);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    Err(Error::inputs(problems.join("\n")))
}

fn to_tensor(view: &TensorView<'_>, dtype: Dtype, device: Device) -> std::result::Result<Tensor, String> {
    let file_kind = match view.dtype() {
        FileDtype::F32 => Kind::Float,
        FileDtype::BF16 => Kind::BFloat16,
        FileDtype::F16 => Kind::Half,
        FileDtype::F64 => Kind::Double,
        other => return Err(format!("expected floating-point numbers, found {other:?}")),
    };
    let shape: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
    let data = view.data();
    if data.len() as i64 != shape.iter().product::<i64>() * file_kind.elt_size_in_bytes() as i64 {
        return Err(format!("expected data for shape {shape:?}, found {} bytes", data.len()));
    }
    let kind = kind(dtype);
    let mut strides: Vec<i64> = vec![1; shape.len()];
    (0..shape.len().saturating_sub(1)).rev().for_each(|i| strides[i] = strides[i + 1] * shape[i + 1]);
    // SAFETY: the mapped bytes outlive `mapped`, which is only read, and copied below: to the device as they are, or into the wanted kind.
    let mapped = unsafe { Tensor::f_from_blob(data.as_ptr(), &shape, &strides, file_kind, Device::Cpu) };
    let mapped = mapped.map_err(|e| e.to_string())?;
    if device == Device::Cpu && kind == file_kind {
        return Ok(mapped.copy());
    }
    Ok(mapped.to_device(device).to_kind(kind))
}

/// Tells the system that the pages under a tensor are not needed again: they are in the checkpoint's file, and in the tensor made of them.
fn done_with(map: &Mmap, view: &TensorView<'_>) {
    let start = view.data().as_ptr() as usize - map.as_ptr() as usize;
    // SAFETY: the pages of a read-only map of a file come back from the file when they are touched again. Where the system does not take the advice,
    // nothing is lost but memory for a while.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, view.data().len()) };
}

/// Writes weights as `model-0000k-of-0000n.safetensors` with their index into a folder that exists.
///
/// # Errors
/// Exit code 1 with the path when the machine cannot write.
pub fn save(params: &Params, dir: &Path, max_shard_bytes: usize) -> Result<()> {
    let mut shards: Vec<Vec<(&String, &Tensor)>> = vec![Vec::new()];
    let mut size = 0;
    let bytes = |t: &Tensor| t.numel() * t.kind().elt_size_in_bytes();
    for (name, tensor) in params.iter() {
        if size > 0 && size + bytes(tensor) > max_shard_bytes {
            shards.push(Vec::new());
            size = 0;
        }
        size += bytes(tensor);
        shards.last_mut().expect("starts with one shard").push((name, tensor));
    }
    let (count, mut map, mut total) = (shards.len(), serde_json::Map::new(), 0);
    for (i, shard) in shards.iter().enumerate() {
        let file = format!("model-{:05}-of-{count:05}.safetensors", i + 1);
        save_tensors(shard.iter().map(|(n, t)| ((*n).clone(), t.shallow_clone())), &dir.join(&file))?;
        for (name, tensor) in shard {
            map.insert((*name).clone(), json!(file));
            total += bytes(tensor);
        }
    }
    let index = json!({"metadata": {"total_size": total}, "weight_map": map});
    crate::artifact::write::replace_json(&dir.join(INDEX), &index)
}

/// Writes named tensors as one safetensors file: temporary name, sync, rename.
pub fn save_tensors(tensors: impl Iterator<Item = (String, Tensor)>, path: &Path) -> Result<()> {
    let mut owned = Vec::new();
    for (name, tensor) in tensors {
        let file_dtype = match tensor.kind() {
            Kind::Float => FileDtype::F32,
            Kind::BFloat16 => FileDtype::BF16,
            Kind::Double => FileDtype::F64,
            Kind::Int64 => FileDtype::I64,
            Kind::Int16 => FileDtype::I16,
            Kind::Int8 => FileDtype::I8,
            Kind::Uint8 => FileDtype::U8,
            other => return Err(Error::internal(format!("{}: cannot save {name} as {other:?}", path.display()))),
        };
        let shape: Vec<usize> = tensor.size().iter().map(|&d| d as usize).collect();
        let host = tensor.detach().to_device(Device::Cpu).contiguous();
        let mut data = vec![0u8; host.numel() * host.kind().elt_size_in_bytes()];
        host.f_copy_data_u8(&mut data, host.numel()).internal(|| format!("cannot copy {name}"))?;
        owned.push((name, file_dtype, shape, data));
    }
    let views = owned.iter().map(|(name, dtype, shape, data)| {
        TensorView::new(*dtype, shape.clone(), data).map(|view| (name.as_str(), view))
    });
    let views =
        views.collect::<std::result::Result<Vec<_>, _>>().internal(|| format!("cannot lay out {}", path.display()))?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes =
        safetensors::serialize(views, Some(metadata)).internal(|| format!("cannot lay out {}", path.display()))?;
    crate::artifact::write::replace(path, &bytes)
}

/// Reads every tensor of one safetensors file that this program wrote.
pub fn load_tensors(path: &Path, device: Device) -> Result<BTreeMap<String, Tensor>> {
    let bytes = std::fs::read(path).inputs(|| format!("cannot read {}", path.display()))?;
    let file =
        SafeTensors::deserialize(&bytes).inputs(|| format!("{}: expected a whole safetensors file", path.display()))?;
    let mut out = BTreeMap::new();
    for (name, view) in file.iter() {
        let shape: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
        let kind = match view.dtype() {
            FileDtype::F32 => Kind::Float,
            FileDtype::BF16 => Kind::BFloat16,
            FileDtype::F64 => Kind::Double,
            FileDtype::I64 => Kind::Int64,
            FileDtype::I16 => Kind::Int16,
            FileDtype::I8 => Kind::Int8,
            FileDtype::U8 => Kind::Uint8,
            other => return Err(Error::inputs(format!("{}: {name}: unexpected {other:?}", path.display()))),
        };
        let tensor = Tensor::f_from_data_size(view.data(), &shape, kind).inputs(|| path.display().to_string())?;
        out.insert(name.to_owned(), tensor.to_device(device));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn both_naming_schemes_reach_the_same_name() {
        for (five, four) in [
            ("model.audio_tower.conv1.weight", "audio_tower.conv1.weight"),
            ("model.multi_modal_projector.linear.bias", "multi_modal_projector.linear.bias"),
            ("model.language_model.layers.0.mlp.up_proj.weight", "language_model.model.layers.0.mlp.up_proj.weight"),
            ("model.language_model.embed_tokens.weight", "language_model.model.embed_tokens.weight"),
            ("lm_head.weight", "language_model.lm_head.weight"),
        ] {
            assert_eq!(canonical(five), four);
            assert_eq!(canonical(four), four);
        }
    }
}
