package dev.sparkmla.plugin.location;

import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where a model is, as a person writes it. */
public sealed interface ModelLocation {
  /**
   * A path on this host.
   *
   * @param path of the folder
   */
  record LocalFolder(Path path) implements ModelLocation {
    @Override
    public Path find(ModelLocator locator) {
      return path;
    }

    @Override
    public String toString() {
      return path.toString();
    }
  }

  /**
   * An id on Hugging Face, of which the host has a snapshot. What is written so may also be a
   * relative path, which comes first.
   *
   * @param repository the organization, a slash and the name
   * @param revision a branch, tag or commit; empty for the branch main
   */
  record HuggingFaceId(String repository, Optional<String> revision) implements ModelLocation {
    @Override
    public Path find(ModelLocator locator) {
      return locator.snapshot(this);
    }

    @Override
    public String toString() {
      return repository + revision.map(name -> "@" + name).orElse("");
    }
  }

  /**
   * A folder in a file system of Hadoop's FileSystem.
   *
   * @param uri with its scheme
   */
  record StoredFolder(String uri) implements ModelLocation {
    @Override
    public Path find(ModelLocator locator) {
      return locator.copy(this);
    }

    @Override
    public String toString() {
      return uri;
    }
  }

  /** A scheme has two letters or more, as in Hadoop: one is a drive. */
  Pattern URI = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]+:/.*");

  /** As Hugging Face allows them. */
  Pattern ID = Pattern.compile("([A-Za-z0-9][\\w.-]*/[\\w.-]+)(?:@([\\w.-]+(?:/[\\w.-]+)*))?");

  /** The model's folder on this host, as {@link ModelLocator#locate} says. */
  Path find(ModelLocator locator);

  /**
   * Reads a location by its form alone.
   *
   * @throws IllegalArgumentException when it is blank or no path
   */
  static ModelLocation parse(String text) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("a model's location is blank");
    }
    if (URI.matcher(text).matches()) {
      return new StoredFolder(text);
    }
    Matcher id = ID.matcher(text);
    return id.matches()
        ? new HuggingFaceId(id.group(1), Optional.ofNullable(id.group(2)))
        : new LocalFolder(Path.of(text));
  }
}
