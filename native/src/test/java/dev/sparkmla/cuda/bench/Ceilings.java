package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Gemm;
import dev.sparkmla.cuda.GpuDevice;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Locale;
import java.util.OptionalDouble;

/**
 * What this device can do at most, measured in the same run as everything beside it.
 *
 * @param copyGigabytesPerSecond of a copy inside device memory, bytes read plus bytes written
 * @param gemmTeraflops of a bfloat16 GEMM of 8192 × 8192 × 8192 through cuBLASLt; empty where the
 *     host has none
 * @param gemmLibrary the cuBLASLt that did it, or why none did
 */
record Ceilings(double copyGigabytesPerSecond, OptionalDouble gemmTeraflops, String gemmLibrary) {
  private static final long COPY_BYTES = 4L << 30;
  private static final int GEMM_SIZE = 8192;

  static Ceilings measure(MeasuredDevice device) {
    CudaStream stream = device.stream();
    Timer timer = device.timer();
    double copy;
    try (DeviceBuffer source = device.allocate(COPY_BYTES);
        DeviceBuffer target = device.allocate(COPY_BYTES)) {
      device.fill(source, 1);
      double milliseconds =
          timer.median(run -> target.copyFromDevice(0, source, 0, COPY_BYTES, stream));
      copy = 2.0 * COPY_BYTES / milliseconds / 1e6;
    }
    try (Gemm gemm = Gemm.open(device.context())) {
      long bytes = 2L * GEMM_SIZE * GEMM_SIZE;
      try (DeviceBuffer a = device.allocate(bytes);
          DeviceBuffer b = device.allocate(bytes);
          DeviceBuffer c = device.allocate(bytes)) {
        device.fill(a, 2);
        device.fill(b, 3);
        double milliseconds =
            timer.median(
                run ->
                    gemm.multiply(
                        a.tensor(ElementType.BFLOAT16, GEMM_SIZE, GEMM_SIZE),
                        b.tensor(ElementType.BFLOAT16, GEMM_SIZE, GEMM_SIZE),
                        c.tensor(ElementType.BFLOAT16, GEMM_SIZE, GEMM_SIZE),
                        stream));
        return new Ceilings(
            copy,
            OptionalDouble.of(2 * Math.pow(GEMM_SIZE, 3) / milliseconds / 1e9),
            gemm.description());
      }
    } catch (CudaUnavailableException e) {
      return new Ceilings(copy, OptionalDouble.empty(), "n/a: " + e.getMessage());
    }
  }

  /** Where, when and with what the run was, and these ceilings. */
  String heading(GpuDevice device) {
    int driver = GpuDevice.driverVersion();
    return String.format(
        Locale.ROOT,
        "%s, %s, driver for CUDA %d.%d, Java %s.%nCeilings of this run: copy %.0f GB/s,"
            + " GEMM %s TFLOPS (%s).",
        LocalDate.now(ZoneOffset.UTC),
        device.name(),
        driver / 1000,
        driver % 1000 / 10,
        Runtime.version(),
        copyGigabytesPerSecond,
        gemmTeraflops.isPresent()
            ? String.format(Locale.ROOT, "%.0f", gemmTeraflops.getAsDouble())
            : "n/a",
        gemmLibrary);
  }
}
