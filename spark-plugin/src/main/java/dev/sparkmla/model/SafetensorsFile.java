package dev.sparkmla.model;

import dev.sparkmla.compute.Tensor;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;

/**
 * A safetensors file and its tensors, mapped.
 *
 * @param path where it is, for messages
 * @param tensors its tensors by name
 */
record SafetensorsFile(Path path, Map<String, Tensor> tensors) {
  /**
   * Maps a file and reads and checks its header; it is not held open.
   *
   * @throws ModelFormatException when it is missing, cannot be read or is not what the format says
   */
  static SafetensorsFile open(Path path) {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      Map<String, Tensor> tensors = new TreeMap<>();
      for (Tensor tensor : SafetensorsHeader.read(path, channel)) {
        tensors.put(tensor.name(), tensor);
      }
      return new SafetensorsFile(path, tensors);
    } catch (NoSuchFileException e) {
      throw new ModelFormatException(path, "is missing", e);
    } catch (IOException e) {
      throw new ModelFormatException(path, "cannot be read: " + e, e);
    }
  }
}
