//! The kernel for a few rows against libtorch's product in float64, and what it promises beside being right.
#![cfg(feature = "torch")]

use aqa_bench::native::{Part, all_instructions, skinny_linear, with_instructions};
use tch::{Device, Kind, Tensor, no_grad};

fn random(shape: &[i64]) -> Tensor {
    Tensor::randn(shape, (Kind::Float, Device::Cpu))
}

fn off(found: &Tensor, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> f64 {
    let wide = |t: &Tensor| t.to_kind(Kind::Double);
    let exact = wide(x).linear(&wide(weight), bias.map(wide).as_ref());
    ((wide(found) - &exact).abs().max() / exact.abs().max()).double_value(&[])
}

/// Widths with and without a rest behind the vectors and the tiles, every number of rows up to beyond the largest tile.
#[test]
fn it_equals_the_general_product() {
    of_every_set(equals_the_general_product);
}

/// With the kernels of every set of instructions that this machine has.
fn of_every_set(check: fn()) {
    let sets = all_instructions();
    assert!(!sets.is_empty(), "this machine has no kernel: nothing would be tested");
    sets.into_iter().for_each(|set| with_instructions(set, check));
}

fn equals_the_general_product() {
    for (out, of) in [(1, 1), (3, 15), (48, 64), (50, 100), (97, 1408), (512, 513)] {
        let (weight, other, bias) = (random(&[out, of]), random(&[out + 5, of]), random(&[out]));
        for m in 1..=19 {
            let x = random(&[m, of]);
            let both = [Part { weight: &weight, bias: Some(&bias) }, Part { weight: &other, bias: None }];
            let y = skinny_linear(&x, &both).expect("this machine has the kernel");
            assert_eq!(y.size(), [m, 2 * out + 5]);
            // 1408 products in float32, summed in at least 8 lanes.
            assert!(off(&y.narrow(1, 0, out), &x, &weight, Some(&bias)) < 2e-6, "{out} {of} {m}");
            assert!(off(&y.narrow(1, out, out + 5), &x, &other, None) < 2e-6, "{out} {of} {m}");
        }
    }
}

#[test]
fn a_row_depends_on_nothing_beside_it_nor_on_the_number_of_threads() {
    of_every_set(depends_on_nothing_beside_it);
}

fn depends_on_nothing_beside_it() {
    let (x, weight) = (random(&[13, 300]), random(&[201, 300]));
    let run = |x: &Tensor| skinny_linear(x, &[Part { weight: &weight, bias: None }]).expect("the kernel");
    let all = run(&x);
    for row in 0..13 {
        assert_eq!(run(&x.narrow(0, row, 1)), all.narrow(0, row, 1), "row {row} alone");
    }
    let threads = tch::get_num_threads();
    for count in [1, 2, 3] {
        tch::set_num_threads(count);
        assert_eq!(run(&x), all, "{count} threads");
    }
    tch::set_num_threads(threads);
    let three = x.view([13, 1, 300]);
    assert_eq!(run(&three), all.view([13, 1, 201]), "more dimensions");
    assert_eq!(run(&x.transpose(0, 1).contiguous().transpose(0, 1)), all, "x that is not contiguous");
}

#[test]
fn what_it_cannot_do_it_leaves_to_the_general_product() {
    let (x, weight) = (random(&[2, 64]), random(&[32, 64]));
    let part = |weight| [Part { weight, bias: None }];
    assert!(skinny_linear(&x, &part(&weight)).is_some());
    assert!(skinny_linear(&random(&[200, 64]), &part(&weight)).is_none(), "many rows");
    let (turned, wide) = (random(&[64, 32]).transpose(0, 1), weight.to_kind(Kind::Double));
    assert!(skinny_linear(&x, &part(&turned)).is_none(), "weights that are not contiguous");
    assert!(skinny_linear(&x.to_kind(Kind::Double), &part(&wide)).is_none(), "float64");
    assert!(skinny_linear(&random(&[2, 63]), &part(&weight)).is_none(), "another width: libtorch says what is wrong");
    let trained = weight.set_requires_grad(true);
    assert!(skinny_linear(&x, &part(&trained)).is_none(), "gradients are wanted");
    assert!(no_grad(|| skinny_linear(&x, &part(&trained))).is_some());
}
