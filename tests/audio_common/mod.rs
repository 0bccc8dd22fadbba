//! What the audio tests share.

/// CRC-32 (IEEE) of samples as little-endian float32, as zlib computes it.
pub fn crc32_of(samples: &[f32]) -> u32 {
    let bytes = samples.iter().flat_map(|x| x.to_le_bytes());
    let table: Vec<u32> =
        (0..256u32).map(|n| (0..8).fold(n, |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })).collect();
    !bytes.fold(!0u32, |crc, byte| table[((crc ^ u32::from(byte)) & 0xff) as usize] ^ (crc >> 8))
}
