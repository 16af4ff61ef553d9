package dev.sparkmla.plugin.location;

import java.util.List;

/** What of a model folder a process reads. */
public enum FolderPart {
  /** Configuration, tokenizer and chat template: what a driver needs. */
  TEXT {
    @Override
    boolean has(String file) {
      // Hadoop opens no local file with a colon in its name, and no file of a model has one.
      return !file.contains(":") && TEXT_ENDINGS.stream().anyMatch(file::endsWith);
    }
  },
  /** The weights too. */
  ALL {
    @Override
    boolean has(String file) {
      // Mistral publishes the same weights a second time under this name.
      boolean secondSet = file.startsWith("consolidated");
      boolean weights = !file.contains(":") && file.endsWith(".safetensors") && !secondSet;
      return weights || TEXT.has(file);
    }
  };

  private static final List<String> TEXT_ENDINGS = List.of(".json", ".jinja", ".model");

  /** Whether a file of the folder belongs to the part. */
  abstract boolean has(String file);
}
