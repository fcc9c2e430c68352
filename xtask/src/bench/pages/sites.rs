//! The sites that are deployed. Their contents are noise, the same in every run.

use std::path::Path;

/// A site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Site {
    /// 1,000 files of 4 to 64 KiB.
    Thousand,
    /// 20,000 files of 100 to 1,000 bytes.
    Small,
    /// 200 files of 5 MiB.
    Large,
}

impl Site {
    pub(super) const ALL: [Self; 3] = [Self::Thousand, Self::Small, Self::Large];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Thousand => "thousand",
            Self::Small => "small",
            Self::Large => "large",
        }
    }

    /// How many files, of how many bytes at least and at most.
    const fn shape(self) -> (usize, u64, u64) {
        match self {
            Self::Thousand => (1_000, 4 << 10, 64 << 10),
            Self::Small => (20_000, 100, 1_000),
            Self::Large => (200, 5 << 20, 5 << 20),
        }
    }

    /// Writes it.
    pub(super) fn write(self, directory: &Path) -> std::io::Result<()> {
        const EXTENSIONS: [&str; 5] = ["html", "js", "css", "png", "json"];
        let (files, least, most) = self.shape();
        let mut noise = Noise(0x5eed);
        for number in 0..files {
            let folder = directory.join(format!("{}", number % 50));
            std::fs::create_dir_all(&folder)?;
            let length = least + noise.next() % (most - least + 1);
            let content: Vec<u8> = std::iter::repeat_with(|| noise.next().to_le_bytes())
                .take(length.div_ceil(8) as usize)
                .flatten()
                .take(length as usize)
                .collect();
            let extension = EXTENSIONS[number % EXTENSIONS.len()];
            std::fs::write(folder.join(format!("{number}.{extension}")), content)?;
        }
        Ok(())
    }
}

/// Marsaglia's xorshift (<https://www.jstatsoft.org/article/view/v008i14>).
struct Noise(u64);

impl Noise {
    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
