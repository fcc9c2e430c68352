//! Which assets go into one upload together. Sizes in, lists of indexes out.

/// The most raw bytes of one upload, but for a larger file, which goes alone. wrangler's number is 40 MiB (MAX_BUCKET_SIZE in
/// <https://github.com/cloudflare/workers-sdk/blob/main/packages/wrangler/src/pages/constants.ts>): of less, less has to be
/// sent again when an upload fails, or the program dies.
const BYTES_MAX: u64 = 10 * 1024 * 1024;
/// The most files of one upload; wrangler's number (MAX_BUCKET_FILE_COUNT).
const FILES_MAX: usize = 2_000;
/// Below this, splitting further would only cost round trips.
const SPLIT_FROM: u64 = 512 * 1024;

/// Packs assets, the largest first, into the emptiest of enough buckets.
pub(super) fn pack(sizes: &[u64]) -> Vec<Vec<usize>> {
    let total: u64 = sizes.iter().sum();
    let at_once = if total < SPLIT_FROM { 1 } else { super::CONCURRENCY };
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    let size = |index: &usize| sizes.get(*index).copied().unwrap_or_default();
    order.sort_by_key(|index| std::cmp::Reverse(size(index)));
    let mut buckets: Vec<(u64, Vec<usize>)> = vec![(0, Vec::new()); at_once];
    for index in order {
        let bytes = size(&index);
        let fits =
            |bucket: &&mut (u64, Vec<usize>)| bucket.0 + bytes <= BYTES_MAX && bucket.1.len() < FILES_MAX;
        match buckets.iter_mut().filter(fits).min_by_key(|bucket| (bucket.0, bucket.1.len())) {
            Some(bucket) => {
                bucket.0 += bytes;
                bucket.1.push(index);
            }
            None => buckets.push((bytes, vec![index])),
        }
    }
    buckets.into_iter().map(|(_, members)| members).filter(|members| !members.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_sites_go_in_one_upload() {
        assert_eq!(pack(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(pack(&[1, 2, 3]).len(), 1);
        assert_eq!(pack(&[1; 4_001]).len(), 3, "2,000 files an upload");
        assert_eq!(pack(&[6 << 20; 4]).len(), 4, "10 MiB an upload");
    }

    proptest! {
        #[test]
        fn every_asset_is_packed_once_and_no_bucket_is_over_its_limits(
            sizes in prop::collection::vec(0_u64..=25 * 1024 * 1024, 0..60)
        ) {
            let packed = pack(&sizes);
            let mut seen: Vec<usize> = packed.iter().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..sizes.len()).collect::<Vec<_>>());
            for bucket in &packed {
                prop_assert!(bucket.len() <= FILES_MAX);
                let bytes = bucket.iter().map(|index| sizes[*index]).sum::<u64>();
                prop_assert!(bytes <= BYTES_MAX || bucket.len() == 1);
            }
        }
    }
}
