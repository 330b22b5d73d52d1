//! wip
fn main() -> anyhow::Result<()> {
    let lab = octroi_tests::lab::Lab::create()?;
    println!("{}", lab.id());
    std::thread::sleep(std::time::Duration::from_secs(600));
    Ok(())
}
