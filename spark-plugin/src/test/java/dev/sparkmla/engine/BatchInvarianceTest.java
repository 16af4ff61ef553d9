package dev.sparkmla.engine;

import static dev.sparkmla.engine.InvarianceModel.golden;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.WeightFormat;
import java.util.stream.Stream;

/**
 * Batch invariance on the processor, where a GEMM of one row takes nearly as long as one of
 * several. Steps of one token therefore cost most: sequences are few, and the caches of loads that
 * preempt are so small that a hundred tokens fill them.
 */
class BatchInvarianceTest extends BatchInvarianceLaws {
  @Override
  ComputeBackend open() {
    return ComputeBackends.cpu(2);
  }

  @Override
  Stream<Load> loads() {
    InvarianceModel v2Lite = InvarianceModel.v2Lite(96, 2, 2);
    InvarianceModel v3 = InvarianceModel.v3(64, 2, 2);
    InvarianceModel narrow64 = InvarianceModel.narrow(64, 3, 2, 64, 64, 128);
    InvarianceModel narrow32 = InvarianceModel.narrow(64, 5, 2, 32, 64, 64);
    return Stream.of(
        new Load(golden("moonlight"), 1, 1, 6, 6, 120, 20, false, false, 1),
        new Load(narrow32, 1, 16, 40, 6, 150, 20, true, false, 2),
        new Load(golden("deepseek-v3"), 7, 3, 7, 6, 130, 130, true, true, 3),
        new Load(narrow64, 7, 16, 6, 6, 200, 130, false, true, 4),
        new Load(golden("deepseek-v3-yarn-parameters"), 64, 16, 6, 8, 200, 130, true, true, 5),
        new Load(v2Lite, 64, 1, 40, 6, 2000, 40, true, false, 6),
        new Load(golden("deepseek-v3-fp8-blocks"), 64, 16, 6, 7, 200, 130, true, true, 34),
        new Load(v2Lite.in(WeightFormat.FLOAT8_ROWS), 333, 16, 40, 6, 1000, 60, true, false, 16),
        new Load(golden("glm4-moe-lite"), 333, 3, 11, 6, 500, 150, false, true, 7),
        new Load(v3, 333, 64, 100, 6, 1500, 60, true, false, 8),
        new Load(golden("youtu"), 333, 16, 10, 7, 400, 130, true, true, 53),
        new Load(golden("deepseek-v2-greedy"), 2048, 1, 40, 6, 1800, 30, false, false, 10),
        new Load(golden("deepseek-v2-group-limited"), 2048, 3, 60, 8, 1800, 60, true, false, 11),
        new Load(v2Lite, 2048, 16, 100, 6, 3000, 60, false, false, 12),
        new Load(narrow32, 2048, 64, 150, 24, 200, 60, true, false, 13),
        new Load(v3, 2048, 64, 6, 8, 130, 130, false, true, 64));
  }
}
