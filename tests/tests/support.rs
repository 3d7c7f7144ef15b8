//! The support library's own tests with outside programs.

use libtest_mimic::Arguments;

fn main() {
    libtest_mimic::run(&Arguments::from_args(), tests::selftest::trials()).exit();
}
