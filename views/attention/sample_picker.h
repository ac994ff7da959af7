// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QWidget>

#include <vector>

class QLabel;
class QListWidget;
class QPushButton;
class QStackedWidget;

namespace tamis::views {

class PhotoModel;
class PhotoStrip;

/// A text as it is listed.
struct ListedText {
    QString name, beginning; ///< "sequence 3", its first words
};

/// Which sample a page looks at: one of the photos in a strip or one of some texts in a list, under a title and the button that opens others.
class SamplePicker : public QWidget {
    Q_OBJECT
public:
    /// Object names of the title, the button and the two lists.
    struct Names {
        QString title, open, photos, texts;
    };
    SamplePicker(PhotoModel& photos, const Names& names, QWidget* parent = nullptr); ///< `photos` outlives it

    void setOpenAction(const QString& action); ///< what the button says; empty: no button
    void setPhotos();                          ///< the samples are the photos of the model given to the constructor
    void setTexts(const std::vector<ListedText>& texts); ///< the samples are these
    bool showsTexts() const;
    void setShown(int index); ///< of texts, or of photos in the model's order; without a signal

signals:
    void chosen(int index);
    void openRequested();

private:
    PhotoModel& m_photos;
    bool m_quiet = false;
    QLabel* m_title;
    QPushButton* m_open;
    QStackedWidget* m_lists;
    PhotoStrip* m_strip;
    QListWidget* m_texts;
};

} // namespace tamis::views
