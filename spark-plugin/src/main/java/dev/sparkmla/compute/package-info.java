/**
 * The seam between the forward pass and the machine that computes it.
 *
 * <p>Here live the fused operations of an MLA transformer, as an interface, and the choice of its
 * implementation. Which operation follows which is {@link dev.sparkmla.model}'s.
 */
package dev.sparkmla.compute;
