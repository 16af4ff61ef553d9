package dev.sparkmla.plugin.location;

import java.util.List;

/** What of a model folder a process reads. */
public enum FolderPart {
  /** Configuration, tokenizer and chat template: what a driver needs. */
  TEXT {
    @Override
    boolean has(String file) {
      return TEXT_ENDINGS.stream().anyMatch(file::endsWith);
    }
  },
  /** The weights too. */
  ALL {
    @Override
    boolean has(String file) {
      // Mistral publishes the same weights a second time under this name.
      boolean weights = file.endsWith(".safetensors") && !file.startsWith("consolidated");
      return weights || TEXT.has(file);
    }
  };

  private static final List<String> TEXT_ENDINGS = List.of(".json", ".jinja", ".model");

  /** Whether a file of the folder belongs to the part. */
  abstract boolean has(String file);
}
