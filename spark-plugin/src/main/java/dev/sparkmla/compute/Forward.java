package dev.sparkmla.compute;

/**
 * The operations that compute a step. What they do may depend on nothing that changes from step to
 * step but the plan's {@link StepPlan#rows}, {@link StepPlan#decodeRows} and {@link
 * StepPlan#sampledRows}: a backend may record them for one plan and repeat them for another of the
 * same shape.
 */
@FunctionalInterface
public interface Forward {
  /**
   * Calls the operations, and closes what it allocates. It calls {@link ComputeBackend#sample} once
   * where there are sampled rows, else never.
   */
  void compute(StepPlan plan);
}
