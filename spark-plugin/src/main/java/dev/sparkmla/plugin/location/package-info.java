/**
 * Where a model is: from what a person writes to a folder on this host.
 *
 * <p>Here live the ways to name a model, the look into the Hugging Face cache, and the copies of
 * folders that are in a file system of Hadoop. What is in a model folder does not (see {@link
 * dev.sparkmla.engine.ModelFolder}), nor do settings. Start at {@link
 * dev.sparkmla.plugin.location.ModelLocator}.
 */
package dev.sparkmla.plugin.location;
