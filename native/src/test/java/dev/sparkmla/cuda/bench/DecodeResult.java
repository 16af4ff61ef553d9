package dev.sparkmla.cuda.bench;

/**
 * What was measured for one row.
 *
 * @param row the sizes
 * @param milliseconds the kernels of one call on the device, balanced splits, rested
 * @param sustainedMilliseconds the same after many calls
 * @param byLengthMilliseconds the same as {@code milliseconds} with splits by length
 * @param callMilliseconds one call from the JVM on an idle stream until its result is there
 */
record DecodeResult(
    DecodeRow row,
    double milliseconds,
    double sustainedMilliseconds,
    double byLengthMilliseconds,
    double callMilliseconds) {
  double teraflops() {
    return row.operations() / milliseconds / 1e9;
  }

  double gigabytesPerSecond() {
    return row.bytes() / milliseconds / 1e6;
  }

  /** The time that the slower of memory and tensor cores would need at its ceiling. */
  double limitMilliseconds(Ceilings ceilings) {
    double memory = row.bytes() / ceilings.copyGigabytesPerSecond() / 1e6;
    return ceilings.gemmTeraflops().isPresent()
        ? Math.max(memory, row.operations() / ceilings.gemmTeraflops().getAsDouble() / 1e9)
        : memory;
  }

  /** How much of the binding limit is reached, in percent. */
  double percentOfLimit(Ceilings ceilings) {
    return 100 * limitMilliseconds(ceilings) / milliseconds;
  }
}
