/**
 * The model: what a Hugging Face folder holds, and the forward pass over it, written once.
 *
 * <p>Here live the configuration, the mapped weights and {@code MlaTransformer}. Arithmetic does
 * not (see {@link dev.sparkmla.compute}), nor does anything that knows of requests or text. Start
 * at {@link dev.sparkmla.model.LanguageModel}.
 */
package dev.sparkmla.model;
