package dev.sparkmla.engine;

import dev.sparkmla.model.ModelConfig;
import dev.sparkmla.model.ModelFormatException;
import dev.sparkmla.model.Weights;
import dev.sparkmla.text.PromptText;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A Hugging Face model folder: configuration, tokenizer and chat template, weights. Each file is
 * read when it is first asked for, and once: every engine of a process and whoever only counts
 * tokens share what was read. So a process that needs the text alone, such as a driver's, never
 * touches the rest.
 *
 * <p>It lives with the engine because a folder holds what the model needs and what the text needs,
 * and neither of the two knows the other; the engine is the lowest room that knows both.
 *
 * <p>Thread-safe. It owns the tokenizer; what uses it must be closed before.
 */
public final class ModelFolder implements AutoCloseable {
  private final Path path;
  private final List<Weights> opened = new CopyOnWriteArrayList<>();
  private ModelConfig config;
  private PromptText text;
  private boolean checked;
  private boolean closed;

  /** Names a folder; nothing is read yet. */
  public ModelFolder(Path path) {
    this.path = path;
  }

  /** Where it is. */
  public Path path() {
    return path;
  }

  /**
   * What config.json and generation_config.json say.
   *
   * @throws ModelFormatException when they are not those of a supported model
   */
  public synchronized ModelConfig config() {
    if (config == null) {
      requireFiles();
      config = ModelConfig.read(path);
    }
    return config;
  }

  /**
   * The tokenizer and the chat template.
   *
   * @throws ModelFormatException when the folder's files are links to nothing, or pointers to files
   * @throws dev.sparkmla.text.TextFormatException when they cannot be used
   */
  public synchronized PromptText text() {
    if (closed) {
      throw new IllegalStateException("the model folder " + path + " is closed");
    }
    if (text == null) {
      requireFiles();
      text = PromptText.open(path);
    }
    return text;
  }

  /** Before anything is read: what the first reader misses may be what the second one needs. */
  private void requireFiles() {
    if (!checked) {
      FolderFiles.check(path);
      checked = true;
    }
  }

  /**
   * Maps the weights. They are the caller's to close, once for each load: mapped pages count as
   * memory of the process, which it should not keep longer than it copies them.
   *
   * @throws ModelFormatException when they are not whole
   */
  public Weights openWeights() {
    Weights weights = Weights.open(path);
    opened.add(weights);
    return weights;
  }

  /**
   * Bytes that the weights take once they are loaded.
   *
   * @throws ModelFormatException when they are not whole
   */
  public long weightBytes() {
    try (Weights weights = Weights.open(path)) {
      return weights.bytes();
    }
  }

  /** The part of the weights that loads have read so far, from 0 to 1; 0 before the first. */
  public double readPart() {
    long size = opened.stream().mapToLong(Weights::size).sum();
    long taken = opened.stream().mapToLong(Weights::taken).sum();
    return size == 0 ? 0 : Math.min(1, (double) taken / size);
  }

  /**
   * Refuses a tokenizer of another model.
   *
   * @throws ModelFormatException when the tokenizer has ids beyond the model's vocabulary
   * @throws dev.sparkmla.text.TextFormatException when the tokenizer cannot be used
   */
  void requireTokenizerOfModel() {
    int vocabulary = config().vocabularySize();
    int tokens = text().tokenizer().vocabularySize();
    if (tokens > vocabulary) {
      throw new ModelFormatException(
          text().tokenizer().file(),
          "the largest token id is "
              + (tokens - 1)
              + ", but the model's vocabulary has "
              + vocabulary
              + " tokens; expected a tokenizer of this model");
    }
  }

  /** Closes the tokenizer; closing again does nothing. */
  @Override
  public synchronized void close() {
    if (!closed && text != null) {
      text.close();
    }
    closed = true;
  }
}
