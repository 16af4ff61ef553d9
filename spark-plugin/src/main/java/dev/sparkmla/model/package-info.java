/**
 * The model: its configuration and parameters, read from a Hugging Face folder, and the forward
 * pass over them, written once for all architectures.
 *
 * <p>{@link dev.sparkmla.model.Architecture} is the table of what is supported, {@link
 * dev.sparkmla.model.ModelConfig} what the folder's JSON files say. {@link
 * dev.sparkmla.model.Weights} maps its safetensors files and decides which tensors make a
 * parameter. {@link dev.sparkmla.model.MlaTransformer} uploads the parameters to a backend and
 * computes steps with them. Arithmetic is {@link dev.sparkmla.compute}'s; nothing here knows of
 * requests or text. Start at {@link dev.sparkmla.model.LanguageModel}.
 */
package dev.sparkmla.model;
