/**
 * The seam between the forward pass and the machine that computes it.
 *
 * <p>Here live the fused operations of an MLA transformer, as an interface, and the choice of its
 * implementation; and {@link dev.sparkmla.compute.Resources}, which closes what a backend or a
 * model owns. {@link dev.sparkmla.model} decides in which order they follow.
 */
package dev.sparkmla.compute;
