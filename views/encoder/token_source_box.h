// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QStringList>
#include <QWidget>

#include <array>

class QComboBox;
class QLabel;
class QPushButton;

namespace tamis::views {

/// Where tokens come from, in the order in which they are offered.
enum class TokenSource { Rows, Calibration, Photos, Text };

/// Everything that the box shows.
struct TokenSourceState {
    bool open = false;             ///< an autoencoder is: else nothing can be chosen
    TokenSource source = TokenSource::Rows;
    std::array<QString, 4> reasons; ///< why tokens cannot come from there now; empty: they can
    QString measured, fitted;      ///< in words; fitted: empty, nothing is
    QString note;                  ///< what became of the model; empty: nothing
    QStringList sites;             ///< of the calibration set that fit
    QString site;
    int blocks = 0, block = -1;    ///< of the model
    int named = -1;                ///< block that the autoencoder's name says; -1: it says none
    bool ownRows = false;          ///< fitted to rows of a file of their own
};

/// Chooses the tokens that encoders are measured on and the others that they are fitted to. What the user chooses is an intent: the box goes
/// on with setState().
class TokenSourceBox : public QWidget {
    Q_OBJECT
public:
    explicit TokenSourceBox(QWidget* parent = nullptr);
    void setState(const TokenSourceState& state); ///< without a signal
    const TokenSourceState& state() const noexcept { return m_state; }

signals:
    void sourceChosen(tamis::views::TokenSource source);
    void siteChosen(const QString& site);
    void blockChosen(int block);
    void openRequested();             ///< another file or folder for the source
    void ownRowsRequested();          ///< to fit to
    void halfRequested();             ///< to be fitted to

private:
    void showPlace();

    TokenSourceState m_state;
    QComboBox *m_source, *m_place, *m_fit;
    QLabel *m_measured, *m_placeTitle, *m_placeNote, *m_fitted, *m_note;
    QPushButton *m_open, *m_openFit;
};

} // namespace tamis::views
