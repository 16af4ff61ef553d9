package dev.sparkmla.engine;

import static dev.sparkmla.engine.InvarianceModel.golden;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.cuda.GpuDevice;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

/**
 * Batch invariance on a GPU: also contexts of several decode splits and beyond the keys that
 * prefill expands at once, and steps that are filled up with rows and replayed as graphs.
 */
@Tag("gpu")
class BatchInvarianceGpuTest extends BatchInvarianceLaws {
  @Override
  ComputeBackend open() {
    return ComputeBackends.cuda(GpuDevice.at(0));
  }

  @Override
  Stream<Load> loads() {
    InvarianceModel v2Lite = InvarianceModel.v2Lite(1024, 16, 3);
    InvarianceModel v3 = InvarianceModel.v3(1024, 32, 2);
    InvarianceModel narrow64 = InvarianceModel.narrow(512, 16, 3, 64, 64, 128);
    InvarianceModel narrow32 = InvarianceModel.narrow(512, 40, 2, 32, 64, 64);
    return Stream.of(
        new Load(golden("moonlight"), 1, 1, 6, 6, 120, 20, true, false, 1),
        new Load(golden("deepseek-v3"), 7, 3, 8, 8, 130, 300, true, true, 3),
        new Load(golden("deepseek-v3-yarn-parameters"), 64, 16, 14, 10, 500, 300, true, true, 5),
        new Load(golden("deepseek-v3-fp8-blocks"), 64, 16, 14, 10, 500, 300, true, true, 15),
        new Load(v3.in(WeightFormat.FLOAT8_BLOCKS), 333, 64, 1500, 48, 3000, 300, true, false, 27),
        new Load(
            v2Lite.in(WeightFormat.FLOAT8_ROWS), 2048, 64, 1500, 32, 3000, 300, true, false, 28),
        new Load(golden("glm4-moe-lite"), 333, 3, 18, 10, 700, 300, false, true, 7),
        new Load(golden("youtu"), 333, 16, 16, 12, 500, 300, true, true, 9),
        new Load(golden("deepseek-v2-group-limited"), 2048, 3, 60, 8, 1800, 60, true, false, 11),
        new Load(narrow32, 1, 16, 40, 6, 150, 20, true, false, 2),
        new Load(narrow64, 7, 16, 7, 10, 130, 250, false, true, 4),
        new Load(narrow64, 64, 3, 150, 6, 3000, 60, true, false, 21),
        new Load(narrow32, 2048, 64, 1500, 64, 3000, 300, true, false, 22),
        new Load(v3, 333, 64, 1500, 48, 3000, 300, true, false, 23),
        new Load(v3, 2048, 64, 10, 20, 130, 200, false, true, 14),
        new Load(v2Lite, 2048, 16, 1500, 12, 40_000, 60, true, false, 24),
        new Load(v3, 8192, 16, 1500, 8, 40_000, 60, true, false, 25),
        new Load(v2Lite, 8192, 64, 3000, 64, 8000, 300, true, false, 26));
  }
}
