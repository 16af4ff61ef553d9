package dev.sparkmla.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Loads the tokenizer library out of its jar, once for this JVM. The library's own loader is not
 * used, because it asks CUDA for devices, unpacks into the user's home, and downloads another build
 * on a machine with a GPU. This one unpacks to a temporary file that only this JVM uses, so that
 * several JVMs cannot disturb each other.
 */
final class NativeLibrary {
  private NativeLibrary() {}

  /**
   * Does nothing after the first time.
   *
   * @throws UnsatisfiedLinkError when there is no build for this machine or it cannot be loaded
   */
  static void load() {
    Loaded.touch();
  }

  /** Initialized once, by whichever thread comes first. */
  private static final class Loaded {
    static {
      unpackAndLoad(resource(System.getProperty("os.name"), System.getProperty("os.arch")));
    }

    static void touch() {}
  }

  /** Where the jar keeps the build for a machine. */
  static String resource(String osName, String osArch) {
    boolean mac = osName.toLowerCase(Locale.ROOT).startsWith("mac");
    String arch =
        switch (osArch) {
          case "amd64", "x86_64" -> "x86_64";
          case "aarch64", "arm64" -> "aarch64";
          default -> osArch;
        };
    return mac
        ? "native/lib/osx-" + arch + "/cpu/libtokenizers.dylib"
        : "native/lib/linux-" + arch + "/cpu/libtokenizers.so";
  }

  private static void unpackAndLoad(String resource) {
    try (InputStream packed =
        TokenizersLibrary.class.getClassLoader().getResourceAsStream(resource)) {
      if (packed == null) {
        throw new UnsatisfiedLinkError("the tokenizer library has no build at " + resource);
      }
      Path folder = Files.createTempDirectory("spark-mla-tokenizers");
      Path file = folder.resolve(Path.of(resource).getFileName().toString());
      try {
        Files.copy(packed, file);
        System.load(file.toString());
      } finally {
        // What is loaded stays loaded without its name.
        Files.deleteIfExists(file);
        Files.deleteIfExists(folder);
      }
    } catch (IOException e) {
      UnsatisfiedLinkError error =
          new UnsatisfiedLinkError("the tokenizer library cannot be unpacked: " + e);
      error.initCause(e);
      throw error;
    }
  }
}
