package dev.sparkmla.model;

import dev.sparkmla.compute.SampledTokens;

/** A step that was submitted and perhaps is not computed yet. */
public interface PendingStep {
  /**
   * Waits for the step. To be called once, and for the steps submitted before it first.
   *
   * @return the tokens chosen at the samples of its segments, in order
   * @throws dev.sparkmla.compute.ComputeException when the step failed
   * @throws dev.sparkmla.compute.DeviceLostException when the device failed for good
   */
  SampledTokens tokens();
}
